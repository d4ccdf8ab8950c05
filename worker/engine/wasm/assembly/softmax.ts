/**
 * Over rows of class scores: softmax, cross-entropy and its gradient. A row's numbers are added up four lanes wide, then across
 * the lanes: an order that depends on the number of classes alone.
 */
import { exponential, logarithm, partMask } from "./math";
import { LANES, NUMBER, VECTOR, loadPart, maxLanes, multiplyAdd, storePart, sumLanes } from "./simd";

/** p_c = e^(z_c) / sum over c of e^(z_c) */
export function softmaxRows(z: usize, p: usize, rows: usize, classes: usize): void {
  const stride = classes * NUMBER;
  for (let i: usize = 0; i < rows; i += 1) {
    const total = exponentials(z, p, classes, f32x4.splat(largest(z, classes)));
    scaleRow(p, classes, f32x4.splat(1 / total));
    z += stride;
    p += stride;
  }
}

/** value = sum over c of q_c (log sum over c' of e^(z_c') - z_c), and p = softmax(z). */
export function crossEntropyRows(z: usize, q: usize, value: usize, p: usize, rows: usize, classes: usize): void {
  const stride = classes * NUMBER;
  for (let i: usize = 0; i < rows; i += 1) {
    const most = f32x4.splat(largest(z, classes));
    const total = exponentials(z, p, classes, most);
    const logTotal = logarithm(f32x4.splat(total));
    store<f32>(value, surprise(z, q, classes, most, logTotal));
    scaleRow(p, classes, f32x4.splat(1 / total));
    value += NUMBER;
    z += stride;
    q += stride;
    p += stride;
  }
}

/** dz = dy (p - q), dy one number a row. */
export function crossEntropyGradient(dy: usize, p: usize, q: usize, dz: usize, rows: usize, classes: usize): void {
  const whole = classes - (classes % LANES);
  const rest = classes % LANES;
  for (let i: usize = 0; i < rows; i += 1) {
    const scale = v128.load32_splat(dy);
    const end = p + whole * NUMBER;
    for (; p < end; p += VECTOR) {
      v128.store(dz, f32x4.mul(scale, f32x4.sub(v128.load(p), v128.load(q))));
      q += VECTOR;
      dz += VECTOR;
    }
    if (rest != 0) storePart(dz, f32x4.mul(scale, f32x4.sub(loadPart(p, rest), loadPart(q, rest))), rest);
    p += rest * NUMBER;
    q += rest * NUMBER;
    dz += rest * NUMBER;
    dy += NUMBER;
  }
}

/** The largest score; one that is NaN may be passed over: its exponential is not. */
// @ts-ignore: decorator
@inline
function largest(z: usize, classes: usize): f32 {
  const least = f32x4.splat(-Infinity);
  const rest = classes % LANES;
  const end = z + (classes - rest) * NUMBER;
  let most = least;
  for (; z < end; z += VECTOR) most = f32x4.pmax(most, v128.load(z));
  if (rest != 0) most = f32x4.pmax(most, v128.bitselect(loadPart(z, rest), least, partMask(rest)));
  return maxLanes(most);
}

/** e^(z - most) of a row; gives their sum. */
// @ts-ignore: decorator
@inline
function exponentials(z: usize, out: usize, classes: usize, most: v128): f32 {
  const rest = classes % LANES;
  const end = z + (classes - rest) * NUMBER;
  let sum = f32x4.splat(0);
  for (; z < end; z += VECTOR) {
    const e = exponential(f32x4.sub(v128.load(z), most));
    v128.store(out, e);
    sum = f32x4.add(sum, e);
    out += VECTOR;
  }
  if (rest != 0) {
    const e = v128.and(exponential(f32x4.sub(loadPart(z, rest), most)), partMask(rest));
    storePart(out, e, rest);
    sum = f32x4.add(sum, e);
  }
  return sumLanes(sum);
}

/** sum over c of q_c (logTotal - (z_c - most)) */
// @ts-ignore: decorator
@inline
function surprise(z: usize, q: usize, classes: usize, most: v128, logTotal: v128): f32 {
  const rest = classes % LANES;
  const end = z + (classes - rest) * NUMBER;
  let sum = f32x4.splat(0);
  for (; z < end; z += VECTOR) {
    sum = multiplyAdd(v128.load(q), f32x4.sub(logTotal, f32x4.sub(v128.load(z), most)), sum);
    q += VECTOR;
  }
  if (rest != 0) {
    // Behind the row q is 0, and what it is multiplied by must be finite.
    const each = v128.and(f32x4.sub(logTotal, f32x4.sub(loadPart(z, rest), most)), partMask(rest));
    sum = multiplyAdd(loadPart(q, rest), each, sum);
  }
  return sumLanes(sum);
}

// @ts-ignore: decorator
@inline
function scaleRow(x: usize, width: usize, factor: v128): void {
  const rest = width % LANES;
  const end = x + (width - rest) * NUMBER;
  for (; x < end; x += VECTOR) v128.store(x, f32x4.mul(v128.load(x), factor));
  if (rest != 0) storePart(x, f32x4.mul(loadPart(x, rest), factor), rest);
}
