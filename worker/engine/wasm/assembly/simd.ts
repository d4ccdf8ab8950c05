/** Four float32 at a time: the few operations that every kernel is written in. Addresses are in bytes, lengths in numbers. */

/** Bytes of a number, and of a vector. */
export const NUMBER: usize = 4;
export const VECTOR: usize = 16;
/** Numbers in a vector. */
export const LANES: usize = 4;

/** a b + c: one rounding where the machine fuses it (relaxed SIMD), else two. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** c - a b */
// @ts-ignore: decorator
@inline
export function multiplySubtract(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** `count` numbers (1 to 3) at the address, zeros behind them; nothing past them is read. */
// @ts-ignore: decorator
@inline
export function loadPart(address: usize, count: usize): v128 {
  if (count == 1) return v128.load32_zero(address);
  const two = v128.load64_zero(address);
  return count == 2 ? two : v128.load_lane<f32>(address, two, 2, 8);
}

/** The first `count` numbers (1 to 3) of the vector; nothing past them is written. */
// @ts-ignore: decorator
@inline
export function storePart(address: usize, value: v128, count: usize): void {
  if (count == 1) v128.store_lane<f32>(address, value, 0);
  else {
    v128.store_lane<i64>(address, value, 0);
    if (count == 3) v128.store_lane<f32>(address, value, 2, 8);
  }
}

/** The sum of the four numbers, as (0 + 2) + (1 + 3). */
// @ts-ignore: decorator
@inline
export function sumLanes(value: v128): f32 {
  const pairs = f32x4.add(value, v128.shuffle<f32>(value, value, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The largest of the four numbers; NaN when one is. */
// @ts-ignore: decorator
@inline
export function maxLanes(value: v128): f32 {
  const pairs = f32x4.max(value, v128.shuffle<f32>(value, value, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}
