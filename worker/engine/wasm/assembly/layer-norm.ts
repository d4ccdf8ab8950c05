/**
 * Layer normalisation over rows, as in src/catalogue/architecture/layer-norm.ts. Sums over a row are added up four lanes wide,
 * then across the lanes; sums over rows are taken row after row.
 */
import { partMask } from "./math";
import { LANES, NUMBER, VECTOR, loadPart, multiplyAdd, multiplySubtract, storePart, sumLanes } from "./simd";

/**
 * y = g x^ + b,  x^ = (x - mean) r,  r = (mean (x - mean)^2 + epsilon)^(-1/2)
 *
 * @param x [members, rows, width], as y and normal (x^)
 * @param gain [members, 1, width], as bias
 * @param rate r, [members, rows, 1]
 */
export function layerNormForward(
  x: usize,
  gain: usize,
  bias: usize,
  y: usize,
  normal: usize,
  rate: usize,
  members: usize,
  rows: usize,
  width: usize,
  epsilon: f32,
): void {
  const bytes = width * NUMBER;
  for (let m: usize = 0; m < members; m += 1) {
    for (let i: usize = 0; i < rows; i += 1) {
      const mean = rowSum(x, width) / <f32>width;
      const variance = centre(x, normal, width, f32x4.splat(mean)) / <f32>width;
      const r: f32 = 1 / sqrt<f32>(variance + epsilon);
      store<f32>(rate, r);
      scaleAndShift(normal, gain, bias, y, width, f32x4.splat(r));
      rate += NUMBER;
      x += bytes;
      y += bytes;
      normal += bytes;
    }
    gain += bytes;
    bias += bytes;
  }
}

// @ts-ignore: decorator
@inline
function rowSum(x: usize, width: usize): f32 {
  const rest = width % LANES;
  const end = x + (width - rest) * NUMBER;
  let sum = f32x4.splat(0);
  for (; x < end; x += VECTOR) sum = f32x4.add(sum, v128.load(x));
  if (rest != 0) sum = f32x4.add(sum, loadPart(x, rest));
  return sumLanes(sum);
}

/** to = x - mean; gives the sum of its squares. */
// @ts-ignore: decorator
@inline
function centre(x: usize, to: usize, width: usize, mean: v128): f32 {
  const rest = width % LANES;
  const end = x + (width - rest) * NUMBER;
  let sum = f32x4.splat(0);
  for (; x < end; x += VECTOR) {
    const centred = f32x4.sub(v128.load(x), mean);
    v128.store(to, centred);
    sum = multiplyAdd(centred, centred, sum);
    to += VECTOR;
  }
  if (rest != 0) {
    const centred = v128.and(f32x4.sub(loadPart(x, rest), mean), partMask(rest));
    storePart(to, centred, rest);
    sum = multiplyAdd(centred, centred, sum);
  }
  return sumLanes(sum);
}

/** normal *= rate, y = normal gain + bias. */
// @ts-ignore: decorator
@inline
function scaleAndShift(normal: usize, gain: usize, bias: usize, y: usize, width: usize, rate: v128): void {
  const rest = width % LANES;
  const end = normal + (width - rest) * NUMBER;
  for (; normal < end; normal += VECTOR) {
    const scaled = f32x4.mul(v128.load(normal), rate);
    v128.store(normal, scaled);
    v128.store(y, multiplyAdd(scaled, v128.load(gain), v128.load(bias)));
    gain += VECTOR;
    bias += VECTOR;
    y += VECTOR;
  }
  if (rest == 0) return;
  const scaled = f32x4.mul(loadPart(normal, rest), rate);
  storePart(normal, scaled, rest);
  storePart(y, multiplyAdd(scaled, loadPart(gain, rest), loadPart(bias, rest)), rest);
}

/** With d = g dy:  dx = r (d - mean(d) - x^ mean(d x^)),  dg = sum over rows of dy x^,  db = sum over rows of dy. */
export function layerNormGradient(
  dy: usize,
  normal: usize,
  rate: usize,
  gain: usize,
  dx: usize,
  dGain: usize,
  dBias: usize,
  members: usize,
  rows: usize,
  width: usize,
): void {
  const bytes = width * NUMBER;
  memory.fill(dGain, 0, members * bytes);
  memory.fill(dBias, 0, members * bytes);
  for (let m: usize = 0; m < members; m += 1) {
    for (let i: usize = 0; i < rows; i += 1) {
      gradientOfRow(dy, normal, gain, dx, dGain, dBias, width, load<f32>(rate));
      rate += NUMBER;
      dy += bytes;
      normal += bytes;
      dx += bytes;
    }
    gain += bytes;
    dGain += bytes;
    dBias += bytes;
  }
}

function gradientOfRow(
  dy: usize,
  normal: usize,
  gain: usize,
  dx: usize,
  dGain: usize,
  dBias: usize,
  width: usize,
  rate: f32,
): void {
  const rest = width % LANES;
  const whole = (width - rest) * NUMBER;
  let sum = f32x4.splat(0);
  let along = f32x4.splat(0);
  for (let at: usize = 0; at < whole; at += VECTOR) {
    const given = v128.load(dy + at);
    const x = v128.load(normal + at);
    const d = f32x4.mul(given, v128.load(gain + at));
    sum = f32x4.add(sum, d);
    along = multiplyAdd(d, x, along);
    v128.store(dGain + at, multiplyAdd(given, x, v128.load(dGain + at)));
    v128.store(dBias + at, f32x4.add(given, v128.load(dBias + at)));
  }
  if (rest != 0) {
    const given = loadPart(dy + whole, rest);
    const x = loadPart(normal + whole, rest);
    const d = f32x4.mul(given, loadPart(gain + whole, rest));
    sum = f32x4.add(sum, d);
    along = multiplyAdd(d, x, along);
    storePart(dGain + whole, multiplyAdd(given, x, loadPart(dGain + whole, rest)), rest);
    storePart(dBias + whole, f32x4.add(given, loadPart(dBias + whole, rest)), rest);
  }
  const mean = f32x4.splat(sumLanes(sum) / <f32>width);
  const meanAlong = f32x4.splat(sumLanes(along) / <f32>width);
  const scale = f32x4.splat(rate);
  for (let at: usize = 0; at < whole; at += VECTOR) {
    const d = f32x4.mul(v128.load(dy + at), v128.load(gain + at));
    const across = multiplySubtract(v128.load(normal + at), meanAlong, f32x4.sub(d, mean));
    v128.store(dx + at, f32x4.mul(scale, across));
  }
  if (rest == 0) return;
  const d = f32x4.mul(loadPart(dy + whole, rest), loadPart(gain + whole, rest));
  const across = multiplySubtract(loadPart(normal + whole, rest), meanAlong, f32x4.sub(d, mean));
  storePart(dx + whole, f32x4.mul(scale, across), rest);
}
