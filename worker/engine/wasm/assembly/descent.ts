/** What the updates of all optimizers share: penalties, averages, the step itself. */
import { LANES, NUMBER, loadPart, storePart } from "./simd";

/** Bytes of the penalties of one member: the strengths of L1, L2 and decoupled weight decay. */
const PENALTIES: usize = 3 * NUMBER;

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

/** The address of a member's three penalties; 0: all three are 0. */
// @ts-ignore: decorator
@inline
export function penaltyOf(penalties: usize, member: usize): usize {
  const strengths = penalties + member * PENALTIES;
  const zero = load<f32>(strengths) == 0 && load<f32>(strengths, NUMBER) == 0 && load<f32>(strengths, 2 * NUMBER) == 0;
  return zero ? 0 : strengths;
}

/** g + l1 sign(w) + l2 w */
// @ts-ignore: decorator
@inline
export function withPenalties(w: v128, g: v128, penalty: usize): v128 {
  if (penalty == 0) return g;
  if (load<f32>(penalty) != 0) g = f32x4.add(g, f32x4.mul(sign(w), v128.load32_splat(penalty)));
  if (load<f32>(penalty, NUMBER) != 0) g = f32x4.add(g, f32x4.mul(w, v128.load32_splat(penalty, NUMBER)));
  return g;
}

/** w - rate direction - (rate decay) w */
// @ts-ignore: decorator
@inline
export function descended(w: v128, direction: v128, rate: f32, penalty: usize): v128 {
  const next = f32x4.sub(w, f32x4.mul(direction, f32x4.splat(rate)));
  if (penalty == 0) return next;
  const decay = rate * load<f32>(penalty, 2 * NUMBER);
  return decay == 0 ? next : f32x4.sub(next, f32x4.mul(w, f32x4.splat(decay)));
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
