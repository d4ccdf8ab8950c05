/**
 * Means over windows of `pool` x `pool`, stride `pool`, and their gradient; rows and columns that fill no window are
 * dropped.
 */
import { LANES, NUMBER, VECTOR } from "./simd";

/**
 * @param image `images` planes of [height, width]
 * @param out as many of [height / pool, width / pool], rounded down
 */
export function meanPool(
  image: usize,
  out: usize,
  images: usize,
  height: usize,
  width: usize,
  pool: usize,
): void {
  const outHeight = height / pool;
  const outWidth = width / pool;
  const row = width * NUMBER;
  for (let n: usize = 0; n < images; n += 1) {
    for (let h: usize = 0; h < outHeight; h += 1) {
      const from = image + (n * height + h * pool) * row;
      const to = out + (n * outHeight + h) * outWidth * NUMBER;
      const done = pool == 2 ? meansOfTwo(from, to, row, outWidth) : 0;
      for (let w = done; w < outWidth; w += 1) store<f32>(to + w * NUMBER, meanOf(from + w * pool * NUMBER, row, pool));
    }
  }
}

/** Four windows of 2 x 2 at a time; returns how many were done. Adds in the order of `meanOf`, to the same bits. */
function meansOfTwo(from: usize, to: usize, row: usize, count: usize): usize {
  const full = count - (count % LANES);
  const quarter = f32x4.splat(0.25);
  for (let w: usize = 0; w < full; w += LANES) {
    const at = from + 2 * w * NUMBER;
    const upper = pairSums(at);
    const lower = pairSums(at + row);
    v128.store(to + w * NUMBER, f32x4.mul(f32x4.add(upper, lower), quarter));
  }
  return full;
}

// @ts-ignore: decorator
@inline
function pairSums(at: usize): v128 {
  const low = v128.load(at);
  const high = v128.load(at, VECTOR);
  return f32x4.add(v128.shuffle<f32>(low, high, 0, 2, 4, 6), v128.shuffle<f32>(low, high, 1, 3, 5, 7));
}

/** Each row of the window is added up, then the rows. */
function meanOf(at: usize, row: usize, pool: usize): f32 {
  let sum: f32 = 0;
  for (let i: usize = 0; i < pool; i += 1) {
    let line: f32 = load<f32>(at);
    for (let j: usize = 1; j < pool; j += 1) line += load<f32>(at + j * NUMBER);
    sum = i == 0 ? line : sum + line;
    at += row;
  }
  return sum * (<f32>1 / <f32>(pool * pool));
}

/**
 * @param dy `images` planes of [height / pool, width / pool]
 * @param dImage as many of [height, width]
 */
export function meanPoolGradient(
  dy: usize,
  dImage: usize,
  images: usize,
  height: usize,
  width: usize,
  pool: usize,
): void {
  const outHeight = height / pool;
  const outWidth = width / pool;
  const row = width * NUMBER;
  const share = <f32>1 / <f32>(pool * pool);
  for (let n: usize = 0; n < images; n += 1) {
    for (let h: usize = 0; h < height; h += 1) {
      const to = dImage + (n * height + h) * row;
      if (h >= outHeight * pool) memory.fill(to, 0, row);
      else spread(dy + (n * outHeight + h / pool) * outWidth * NUMBER, to, outWidth, width, pool, share);
    }
  }
}

/** One row: each number `pool` times, times `share`, then zeros. */
function spread(from: usize, to: usize, count: usize, width: usize, pool: usize, share: f32): void {
  let w: usize = 0;
  if (pool == 2) {
    const factor = f32x4.splat(share);
    for (; w + LANES <= count; w += LANES) {
      const value = f32x4.mul(v128.load(from + w * NUMBER), factor);
      const at = to + 2 * w * NUMBER;
      v128.store(at, v128.shuffle<f32>(value, value, 0, 0, 1, 1));
      v128.store(at, v128.shuffle<f32>(value, value, 2, 2, 3, 3), VECTOR);
    }
  }
  for (; w < count; w += 1) {
    const value = load<f32>(from + w * NUMBER) * share;
    for (let j: usize = 0; j < pool; j += 1) store<f32>(to + (w * pool + j) * NUMBER, value);
  }
  for (let j = count * pool; j < width; j += 1) store<f32>(to + j * NUMBER, 0);
}
