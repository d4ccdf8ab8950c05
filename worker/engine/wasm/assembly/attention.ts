/**
 * Causal self-attention of one head of one row at a time, straight from the interleaved queries, keys and values:
 *   P = softmax(s Q K^T, each position over itself and those before),  Y = P V,  s = 1 / sqrt(size of a head)
 * and its gradient, with P kept from the way there:
 *   dV = P^T dY,  dP = dY V^T,  dS = s P (dP - the row's sum of P dP),  dQ = dS K,  dK = dS^T Q
 *
 * Of the products only what lies below the diagonal is computed, in blocks of eight positions. P has rows and columns
 * in whole vectors (`pitchOf`) and is exactly zero above its diagonal. T positions, heads of `size` numbers, `width` =
 * heads x size.
 */
import { multiply, matmulScratchBytes } from "./matmul";
import { exponential } from "./math";
import { LANES, NUMBER, VECTOR } from "./simd";

/** Positions of a block: the columns of a tile of a product. */
const BLOCK: usize = 8;

// @ts-ignore: decorator
@inline
function pitchOf(context: usize): usize {
  return (context + LANES - 1) & ~(LANES - 1);
}

/** Rows, and numbers of a row, of P. */
export function attentionPitch(context: usize): usize {
  return pitchOf(context);
}

export function attentionScratchBytes(context: usize, size: usize): usize {
  const products = max<usize>(matmulScratchBytes(BLOCK, size), matmulScratchBytes(size, context));
  return pitchOf(context) * pitchOf(context) * NUMBER + products;
}

/**
 * @param qkv `rows` of [T, 3 width]: queries, keys and values of all heads
 * @param probabilities `rows` x heads of [pitch, pitch]: P, put out for the gradient; rows after the T-th hold anything
 * @param out `rows` of [T, width]
 * @param scratch attentionScratchBytes
 */
export function attend(
  qkv: usize,
  probabilities: usize,
  out: usize,
  rows: usize,
  context: usize,
  heads: usize,
  size: usize,
  scratch: usize,
): void {
  const width = heads * size;
  const pitch = pitchOf(context);
  const scale = <f32>1 / sqrt<f32>(<f32>size);
  for (let n: usize = 0; n < rows; n += 1) {
    for (let h: usize = 0; h < heads; h += 1) {
      const q = qkv + (n * context * 3 * width + h * size) * NUMBER;
      const k = q + width * NUMBER;
      multiplyByTransposed(q, k, probabilities, context, size, 3 * width, 3 * width, pitch, scratch);
      softmax(probabilities, pitch, scale);
      const to = out + (n * context * width + h * size) * NUMBER;
      multiplyLower(probabilities, k + width * NUMBER, to, context, size, pitch, 3 * width, width, scratch);
      probabilities += pitch * pitch * NUMBER;
    }
  }
}

/**
 * @param dy `rows` of [T, width]
 * @param dQkv `rows` of [T, 3 width]
 */
export function attendGradient(
  qkv: usize,
  probabilities: usize,
  dy: usize,
  dQkv: usize,
  rows: usize,
  context: usize,
  heads: usize,
  size: usize,
  scratch: usize,
): void {
  const width = heads * size;
  const step = 3 * width;
  const pitch = pitchOf(context);
  const scale = <f32>1 / sqrt<f32>(<f32>size);
  const scores = scratch;
  const products = scores + pitch * pitch * NUMBER;
  for (let n: usize = 0; n < rows; n += 1) {
    for (let h: usize = 0; h < heads; h += 1) {
      const at = (n * context * step + h * size) * NUMBER;
      const q = qkv + at;
      const k = q + width * NUMBER;
      const dq = dQkv + at;
      const dk = dq + width * NUMBER;
      const own = dy + (n * context * width + h * size) * NUMBER;
      multiplyUpper(probabilities, own, dk + width * NUMBER, context, size, pitch, width, step, products);
      multiplyByTransposed(own, k + width * NUMBER, scores, context, size, width, step, pitch, products);
      softmaxGradient(probabilities, scores, pitch, scale);
      multiplyLower(scores, k, dq, context, size, pitch, step, step, products);
      multiplyUpper(scores, q, dk, context, size, pitch, step, step, products);
      probabilities += pitch * pitch * NUMBER;
    }
  }
}

/** c = a b^T on and below the diagonal's blocks; a and b [T, size], c [T, T]. */
function multiplyByTransposed(
  a: usize,
  b: usize,
  c: usize,
  context: usize,
  size: usize,
  aRow: usize,
  bRow: usize,
  cRow: usize,
  scratch: usize,
): void {
  for (let j: usize = 0; j < context; j += BLOCK) {
    const columns = min<usize>(BLOCK, context - j);
    const from = a + j * aRow * NUMBER;
    const to = c + (j * cRow + j) * NUMBER;
    multiply(from, b + j * bRow * NUMBER, to, context - j, columns, size, aRow, 1, 1, bRow, cRow, false, scratch);
  }
}

/** c = a b with a [T, T] zero above the diagonal; b and c [T, size]. */
function multiplyLower(
  a: usize,
  b: usize,
  c: usize,
  context: usize,
  size: usize,
  aRow: usize,
  bRow: usize,
  cRow: usize,
  scratch: usize,
): void {
  for (let i: usize = 0; i < context; i += BLOCK) {
    const rows = min<usize>(BLOCK, context - i);
    const from = a + i * aRow * NUMBER;
    multiply(from, b, c + i * cRow * NUMBER, rows, size, i + rows, aRow, 1, bRow, 1, cRow, false, scratch);
  }
}

/** c = a^T b with a [T, T] zero above the diagonal; b and c [T, size]. */
function multiplyUpper(
  a: usize,
  b: usize,
  c: usize,
  context: usize,
  size: usize,
  aRow: usize,
  bRow: usize,
  cRow: usize,
  scratch: usize,
): void {
  for (let j: usize = 0; j < context; j += BLOCK) {
    const rows = min<usize>(BLOCK, context - j);
    const from = a + (j * aRow + j) * NUMBER;
    const right = b + j * bRow * NUMBER;
    multiply(from, right, c + j * cRow * NUMBER, rows, size, context - j, 1, aRow, bRow, 1, cRow, false, scratch);
  }
}

/**
 * Scores to probabilities, in place. Four rows at a time, i to i + 3 with i a multiple of four: they have as many vectors, the
 * last of which is cut by the diagonal.
 */
function softmax(scores: usize, pitch: usize, scale: f32): void {
  const row = pitch * NUMBER;
  const factor = f32x4.splat(scale);
  let last: usize = 0;
  for (let r0 = scores; last < row; r0 += LANES * row) {
    const r1 = r0 + row;
    const r2 = r1 + row;
    const r3 = r2 + row;
    cutBlock(r0 + last, row, f32x4.splat(-Infinity));
    // A NaN that pmax drops comes back through the sum.
    let m0 = v128.load(r0 + last);
    let m1 = v128.load(r1 + last);
    let m2 = v128.load(r2 + last);
    let m3 = v128.load(r3 + last);
    for (let at: usize = 0; at < last; at += VECTOR) {
      m0 = f32x4.pmax(m0, v128.load(r0 + at));
      m1 = f32x4.pmax(m1, v128.load(r1 + at));
      m2 = f32x4.pmax(m2, v128.load(r2 + at));
      m3 = f32x4.pmax(m3, v128.load(r3 + at));
    }
    const pairs01 = f32x4.pmax(firstHalves(m0, m1), lastHalves(m0, m1));
    const pairs23 = f32x4.pmax(firstHalves(m2, m3), lastHalves(m2, m3));
    const top = f32x4.pmax(firstPairs(pairs01, pairs23), lastPairs(pairs01, pairs23));
    const most = f32x4.mul(top, factor);
    const sums = exponentials(r0, row, last, factor, most);
    scaleBlock(r0, row, last, f32x4.div(f32x4.splat(1), sums));
    last += VECTOR;
    clearBlock(r0, row, last);
  }
}

/** e^(s x - most) of four rows, in place, to the vector at `last`; the sum of each. */
function exponentials(r0: usize, row: usize, last: usize, factor: v128, most: v128): v128 {
  const m0 = v128.shuffle<f32>(most, most, 0, 0, 0, 0);
  const m1 = v128.shuffle<f32>(most, most, 1, 1, 1, 1);
  const m2 = v128.shuffle<f32>(most, most, 2, 2, 2, 2);
  const m3 = v128.shuffle<f32>(most, most, 3, 3, 3, 3);
  let t0 = f32x4.splat(0);
  let t1 = t0;
  let t2 = t0;
  let t3 = t0;
  for (let at = r0; at <= r0 + last; at += VECTOR) {
    t0 = f32x4.add(t0, exponentialAt(at, factor, m0));
    t1 = f32x4.add(t1, exponentialAt(at + row, factor, m1));
    t2 = f32x4.add(t2, exponentialAt(at + 2 * row, factor, m2));
    t3 = f32x4.add(t3, exponentialAt(at + 3 * row, factor, m3));
  }
  return sumsOfFour(t0, t1, t2, t3);
}

// @ts-ignore: decorator
@inline
function exponentialAt(at: usize, factor: v128, most: v128): v128 {
  const e = exponential(f32x4.sub(f32x4.mul(v128.load(at), factor), most));
  v128.store(at, e);
  return e;
}

function scaleBlock(r0: usize, row: usize, last: usize, shares: v128): void {
  const r1 = r0 + row;
  const r2 = r1 + row;
  const r3 = r2 + row;
  const f0 = v128.shuffle<f32>(shares, shares, 0, 0, 0, 0);
  const f1 = v128.shuffle<f32>(shares, shares, 1, 1, 1, 1);
  const f2 = v128.shuffle<f32>(shares, shares, 2, 2, 2, 2);
  const f3 = v128.shuffle<f32>(shares, shares, 3, 3, 3, 3);
  for (let at: usize = 0; at <= last; at += VECTOR) {
    v128.store(r0 + at, f32x4.mul(v128.load(r0 + at), f0));
    v128.store(r1 + at, f32x4.mul(v128.load(r1 + at), f1));
    v128.store(r2 + at, f32x4.mul(v128.load(r2 + at), f2));
    v128.store(r3 + at, f32x4.mul(v128.load(r3 + at), f3));
  }
}

/** dS from P and dP, over dP; four rows at a time, as above. */
function softmaxGradient(probabilities: usize, scores: usize, pitch: usize, scale: f32): void {
  const row = pitch * NUMBER;
  let last: usize = 0;
  for (let r0 = scores; last < row; r0 += LANES * row) {
    const p0 = probabilities + (r0 - scores);
    // What stands behind the diagonal may be anything, and 0 times anything may be NaN.
    cutBlock(r0 + last, row, f32x4.splat(0));
    const t0 = productSum(p0, r0, last);
    const t1 = productSum(p0 + row, r0 + row, last);
    const t2 = productSum(p0 + 2 * row, r0 + 2 * row, last);
    const t3 = productSum(p0 + 3 * row, r0 + 3 * row, last);
    const means = sumsOfFour(t0, t1, t2, t3);
    gradientRow(p0, r0, last, scale, v128.shuffle<f32>(means, means, 0, 0, 0, 0));
    gradientRow(p0 + row, r0 + row, last, scale, v128.shuffle<f32>(means, means, 1, 1, 1, 1));
    gradientRow(p0 + 2 * row, r0 + 2 * row, last, scale, v128.shuffle<f32>(means, means, 2, 2, 2, 2));
    gradientRow(p0 + 3 * row, r0 + 3 * row, last, scale, v128.shuffle<f32>(means, means, 3, 3, 3, 3));
    last += VECTOR;
    clearBlock(r0, row, last);
  }
}

// @ts-ignore: decorator
@inline
function productSum(p: usize, dp: usize, last: usize): v128 {
  let total = f32x4.splat(0);
  for (let at: usize = 0; at <= last; at += VECTOR) {
    total = f32x4.add(total, f32x4.mul(v128.load(p + at), v128.load(dp + at)));
  }
  return total;
}

// @ts-ignore: decorator
@inline
function gradientRow(p: usize, dp: usize, last: usize, scale: f32, mean: v128): void {
  const factor = f32x4.splat(scale);
  for (let at: usize = 0; at <= last; at += VECTOR) {
    const part = f32x4.mul(v128.load(p + at), factor);
    v128.store(dp + at, f32x4.mul(part, f32x4.sub(v128.load(dp + at), mean)));
  }
}

/** The 4 x 4 block on the diagonal: what lies above it becomes `fill`. */
// @ts-ignore: decorator
@inline
function cutBlock(at: usize, row: usize, fill: v128): void {
  v128.store(at, v128.shuffle<f32>(v128.load(at), fill, 0, 4, 5, 6));
  v128.store(at + row, v128.shuffle<f32>(v128.load(at + row), fill, 0, 1, 4, 5));
  v128.store(at + 2 * row, v128.shuffle<f32>(v128.load(at + 2 * row), fill, 0, 1, 2, 4));
}

/** Four rows from `from` on to zero. */
// @ts-ignore: decorator
@inline
function clearBlock(r0: usize, row: usize, from: usize): void {
  for (let at = from; at < row; at += VECTOR) {
    v128.store(r0 + at, f32x4.splat(0));
    v128.store(r0 + row + at, f32x4.splat(0));
    v128.store(r0 + 2 * row + at, f32x4.splat(0));
    v128.store(r0 + 3 * row + at, f32x4.splat(0));
  }
}

// @ts-ignore: decorator
@inline
function firstHalves(a: v128, b: v128): v128 {
  return v128.shuffle<f32>(a, b, 0, 4, 1, 5);
}

// @ts-ignore: decorator
@inline
function lastHalves(a: v128, b: v128): v128 {
  return v128.shuffle<f32>(a, b, 2, 6, 3, 7);
}

// @ts-ignore: decorator
@inline
function firstPairs(a: v128, b: v128): v128 {
  return v128.shuffle<f32>(a, b, 0, 1, 4, 5);
}

// @ts-ignore: decorator
@inline
function lastPairs(a: v128, b: v128): v128 {
  return v128.shuffle<f32>(a, b, 2, 3, 6, 7);
}

/** The sum of each vector's numbers, (0 + 2) + (1 + 3), side by side. */
// @ts-ignore: decorator
@inline
function sumsOfFour(a: v128, b: v128, c: v128, d: v128): v128 {
  const pairs01 = f32x4.add(firstHalves(a, b), lastHalves(a, b));
  const pairs23 = f32x4.add(firstHalves(c, d), lastHalves(c, d));
  return f32x4.add(firstPairs(pairs01, pairs23), lastPairs(pairs01, pairs23));
}
