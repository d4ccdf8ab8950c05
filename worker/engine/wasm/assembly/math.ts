/**
 * Elementary functions of four float32 at a time. Every lane is computed alone, so a number's bits depend on nothing beside it.
 *
 * NaN gives NaN and infinities give limits. A result below the least normal number may come out as zero, from `exponential`
 * and what is made of it. The errors that test/unit/engine/wasm/math.test.ts holds them to, in units in the last place:
 * exponential 2, logarithm 1, hyperbolicTangent 7, errorFunction 8.
 */
import { multiplyAdd, multiplySubtract } from "./simd";

/** All bits of the first `count` lanes (0 to 4), none of the others. */
// @ts-ignore: decorator
@inline
export function partMask(count: usize): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(<i32>count));
}

/** ln 2 in two parts: a product of the first with an exponent is exact (Cody and Waite). */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.12194440e-4;
/** 3 x 2^22: a small number that is added to it is rounded to an integer, which stands in the low bits. */
const ROUNDER: f32 = 12582912;
/** Where e^x is the least normal number, and just below where it is 2^128. */
const EXP_LEAST: f32 = -87.33654;
const EXP_MOST: f32 = 88.72283;

/**
 * e^x = 2^n e^r, |r| <= ln 2 / 2. Polynomial of Cephes' expf (Moshier, www.netlib.org/cephes, single/expf.c).
 */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  // x times infinity is infinity, minus infinity or NaN; pmax keeps its first operand when that is NaN.
  const outside = f32x4.pmax(f32x4.mul(x, f32x4.splat(Infinity)), f32x4.splat(0));
  const isInside = v128.and(f32x4.ge(x, f32x4.splat(EXP_LEAST)), f32x4.le(x, f32x4.splat(EXP_MOST)));
  return v128.bitselect(exponentialInside(x), outside, isInside);
}

/** e^x for x from -87.33654 to 88.72283, and for nothing else. */
// @ts-ignore: decorator
@inline
export function exponentialInside(x: v128): v128 {
  const rounder = f32x4.splat(ROUNDER);
  const shifted = multiplyAdd(x, f32x4.splat(1.44269504088896341), rounder);
  const n = f32x4.sub(shifted, rounder);
  const r = multiplySubtract(n, f32x4.splat(LN2_LOW), multiplySubtract(n, f32x4.splat(LN2_HIGH), x));
  let p = multiplyAdd(f32x4.splat(1.9875691500e-4), r, f32x4.splat(1.3981999507e-3));
  p = multiplyAdd(p, r, f32x4.splat(8.3334519073e-3));
  p = multiplyAdd(p, r, f32x4.splat(4.1665795894e-2));
  p = multiplyAdd(p, r, f32x4.splat(1.6666665459e-1));
  p = multiplyAdd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(multiplyAdd(p, f32x4.mul(r, r), r), f32x4.splat(1));
  // n is added to the exponent's bits. With n = 128, p is below 1, for x is: the sum is still a number.
  return i32x4.add(p, i32x4.shl(shifted, 23));
}

/** Bits of sqrt(1/2), of the least normal number, and 2^23. */
const SQRT_HALF_BITS: i32 = 0x3f3504f3;
const LEAST_NORMAL: f32 = 1.17549435e-38;
const TWO_TO_23: f32 = 8388608;

/**
 * ln x = e ln 2 + ln(1 + f), sqrt(1/2) <= 1 + f < sqrt 2. Polynomial of Cephes' logf (Moshier, single/logf.c). Minus infinity
 * for 0, NaN below it.
 */
// @ts-ignore: decorator
@inline
export function logarithm(x: v128): v128 {
  // A denormal number is made normal; its logarithm is mended by the exponent.
  const isDenormal = f32x4.lt(x, f32x4.splat(LEAST_NORMAL));
  const normal = v128.bitselect(f32x4.mul(x, f32x4.splat(TWO_TO_23)), x, isDenormal);
  const exponent = i32x4.shr_s(i32x4.sub(normal, i32x4.splat(SQRT_HALF_BITS)), 23);
  const f = f32x4.sub(i32x4.sub(normal, i32x4.shl(exponent, 23)), f32x4.splat(1));
  const e = f32x4.sub(f32x4.convert_i32x4_s(exponent), v128.and(isDenormal, f32x4.splat(23)));
  const square = f32x4.mul(f, f);
  let p = multiplyAdd(f32x4.splat(7.0376836292e-2), f, f32x4.splat(-1.1514610310e-1));
  p = multiplyAdd(p, f, f32x4.splat(1.1676998740e-1));
  p = multiplyAdd(p, f, f32x4.splat(-1.2420140846e-1));
  p = multiplyAdd(p, f, f32x4.splat(1.4249322787e-1));
  p = multiplyAdd(p, f, f32x4.splat(-1.6668057665e-1));
  p = multiplyAdd(p, f, f32x4.splat(2.0000714765e-1));
  p = multiplyAdd(p, f, f32x4.splat(-2.4999993993e-1));
  p = multiplyAdd(p, f, f32x4.splat(3.3333331174e-1));
  p = multiplyAdd(e, f32x4.splat(LN2_LOW), f32x4.mul(f32x4.mul(p, f), square));
  p = multiplySubtract(square, f32x4.splat(0.5), p);
  const inside = multiplyAdd(e, f32x4.splat(LN2_HIGH), f32x4.add(f, p));
  const isInside = v128.and(f32x4.gt(x, f32x4.splat(0)), f32x4.lt(x, f32x4.splat(Infinity)));
  return v128.bitselect(inside, logarithmOutside(x), isInside);
}

/** Of 0, of what is below it, of infinity and of NaN. */
// @ts-ignore: decorator
@inline
function logarithmOutside(x: v128): v128 {
  const zero = f32x4.splat(0);
  const limits = v128.bitselect(f32x4.splat(-Infinity), x, f32x4.eq(x, zero));
  // All bits set are a NaN.
  return v128.or(limits, f32x4.lt(x, zero));
}

/** From here on tanh x rounds to 1, and so does the function below at this place, in both builds. */
const TANH_MOST: f32 = 9.02;

/**
 * tanh x = x P(x^2) / Q(x^2), degrees 5 and 4, P(0) = Q(0) = 1: the minimax rational function for the relative error on
 * [0, 9.02], found by Remez's exchange in 40 digits; its own error is 3.0e-9. No coefficient is lost to cancellation.
 */
// @ts-ignore: decorator
@inline
export function hyperbolicTangent(x: v128): v128 {
  // pmin and pmax keep their first operand when it is NaN.
  const clamped = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-TANH_MOST)), f32x4.splat(TANH_MOST));
  const square = f32x4.mul(clamped, clamped);
  let p = multiplyAdd(f32x4.splat(-1.2504816339755e-11), square, f32x4.splat(3.1060048976815e-8));
  p = multiplyAdd(p, square, f32x4.splat(2.8228473678282e-5));
  p = multiplyAdd(p, square, f32x4.splat(3.8799606477123e-3));
  p = multiplyAdd(p, square, f32x4.splat(0.13689368893991));
  p = multiplyAdd(p, square, f32x4.splat(1));
  let q = multiplyAdd(f32x4.splat(1.3020584395467e-6), square, f32x4.splat(3.9586602336976e-4));
  q = multiplyAdd(q, square, f32x4.splat(2.7288971138102e-2));
  q = multiplyAdd(q, square, f32x4.splat(0.47022702169127));
  q = multiplyAdd(q, square, f32x4.splat(1));
  return withinOne(f32x4.mul(clamped, f32x4.div(p, q)));
}

/** Cut to [-1, 1], for a last bit may lie outside. */
// @ts-ignore: decorator
@inline
function withinOne(x: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.splat(-1)), f32x4.splat(1));
}

/** From here on erf x rounds to 1, and so does the function below at this place, in both builds. */
const ERF_MOST: f32 = 3.925;

/**
 * erf x = 2 / sqrt(pi) integral from 0 to x of e^(-t^2), as x P(x^2) / Q(x^2), degrees 5 and 6: minimax for the relative error
 * on [0, 3.93], as above; its own error is 1.6e-8.
 */
// @ts-ignore: decorator
@inline
export function errorFunction(x: v128): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-ERF_MOST)), f32x4.splat(ERF_MOST));
  const square = f32x4.mul(clamped, clamped);
  let p = multiplyAdd(f32x4.splat(6.96895876762e-6), square, f32x4.splat(4.17842349949e-4));
  p = multiplyAdd(p, square, f32x4.splat(4.31245926902e-3));
  p = multiplyAdd(p, square, f32x4.splat(5.60855463411e-2));
  p = multiplyAdd(p, square, f32x4.splat(0.194550159746));
  p = multiplyAdd(p, square, f32x4.splat(1.12837916711));
  let q = multiplyAdd(f32x4.splat(2.70812023281e-7), square, f32x4.splat(7.39015926533e-5));
  q = multiplyAdd(q, square, f32x4.splat(1.44776206498e-3));
  q = multiplyAdd(q, square, f32x4.splat(1.64861981712e-2));
  q = multiplyAdd(q, square, f32x4.splat(0.118287367274));
  q = multiplyAdd(q, square, f32x4.splat(0.505748929662));
  q = multiplyAdd(q, square, f32x4.splat(1));
  return withinOne(f32x4.mul(clamped, f32x4.div(p, q)));
}

/**
 * Phi(-a) e^(a^2/2) for a in [0, 14], Phi the standard normal distribution function: P(a) / Q(a), degrees 4 and 5, minimax for
 * the relative error, as above; its own error is 9e-9.
 */
// @ts-ignore: decorator
@inline
export function scaledNormalTail(a: v128): v128 {
  let p = multiplyAdd(f32x4.splat(4.025627079385e-3), a, f32x4.splat(4.0057390111037e-2));
  p = multiplyAdd(p, a, f32x4.splat(0.18157950491862));
  p = multiplyAdd(p, a, f32x4.splat(0.43614043885197));
  p = multiplyAdd(p, a, f32x4.splat(0.50000000132196));
  let q = multiplyAdd(f32x4.splat(1.0090618859245e-2), a, f32x4.splat(0.10041595235973));
  q = multiplyAdd(q, a, f32x4.splat(0.46508385322786));
  q = multiplyAdd(q, a, f32x4.splat(1.1957552658702));
  q = multiplyAdd(q, a, f32x4.splat(1.6701656737461));
  q = multiplyAdd(q, a, f32x4.splat(1));
  return f32x4.div(p, q);
}
