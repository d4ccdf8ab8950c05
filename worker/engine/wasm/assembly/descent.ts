/** What the updates of all optimizers share. */
import { LANES, loadPart, storePart } from "./simd";

/** Up to four numbers. */
// @ts-ignore: decorator
@inline
export function read(address: usize, count: usize): v128 {
  return count == LANES ? v128.load(address) : loadPart(address, count);
}

// @ts-ignore: decorator
@inline
export function write(address: usize, value: v128, count: usize): void {
  if (count == LANES) v128.store(address, value);
  else storePart(address, value, count);
}

/** beta a + (1 - beta) x */
// @ts-ignore: decorator
@inline
export function average(a: v128, x: v128, beta: v128): v128 {
  return f32x4.add(f32x4.mul(a, beta), f32x4.mul(x, f32x4.sub(f32x4.splat(1), beta)));
}

/** w - rate direction */
// @ts-ignore: decorator
@inline
export function descended(w: v128, direction: v128, rate: f32): v128 {
  return f32x4.sub(w, f32x4.mul(direction, f32x4.splat(rate)));
}

/** direction + lambda w */
// @ts-ignore: decorator
@inline
export function decayed(direction: v128, w: v128, lambda: f32): v128 {
  return lambda == 0 ? direction : f32x4.add(direction, f32x4.mul(w, f32x4.splat(lambda)));
}

/** -1, 0 or 1; NaN of NaN. */
// @ts-ignore: decorator
@inline
export function sign(x: v128): v128 {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const value = f32x4.sub(v128.and(f32x4.gt(x, zero), one), v128.and(f32x4.lt(x, zero), one));
  return v128.bitselect(x, value, f32x4.ne(x, x));
}
