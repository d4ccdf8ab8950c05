/**
 * Standard normals of Philox's words by Box and Muller ("A Note on the Generation of Random Normal Deviates", Annals of
 * Mathematical Statistics 29, 1958), in float32: of words v, w
 *   r (cos 2 pi w / 2^32, sin 2 pi w / 2^32),   r = sqrt(-2 log u),   u = (v + 1/2) / 2^32.
 * Neither end of u is lost to rounding: above 1/2 it is reckoned from 1 - u, so that r runs from 1.5e-5 to 6.76. The angle is
 * reduced in integers, without error. Polynomials: those of logf, sinf and cosf in Cephes (S. L. Moshier, 1992).
 */
import { VECTOR, multiplyAdd, multiplySubtract } from "./simd";
import { GROUP_BYTES, storeBlocks } from "./philox";

const SQRT_HALF: f32 = 0.70710678118654752;
/** log 2 in two parts, the first with so few digits that its multiples up to 33 are exact. */
const LOG2_HIGH: f32 = 0.693359375;
const LOG2_LOW: f32 = -2.12194440e-4;
/** 2 pi / 2^32 */
const ANGLE: f32 = 1.4629180792671596e-9;
const EIGHTH_TURN: i32 = 0x20000000;
const QUARTER_TURN: i32 = 0x40000000;
/** The upper two bits, and the uppermost. */
const QUARTERS: i32 = 0xc0000000;
const SIGN: i32 = 0x80000000;

/** `groups` groups of words (assembly/philox.ts) become normals in the order of their stream. */
export function normalsOfGroups(at: usize, groups: usize): void {
  const end = at + groups * GROUP_BYTES;
  for (; at < end; at += GROUP_BYTES) {
    const r0 = radius(v128.load(at));
    const turn0 = eighthTurnOn(v128.load(at, VECTOR));
    const theta0 = angleOf(v128.load(at, VECTOR), turn0);
    const square0 = f32x4.mul(theta0, theta0);
    const sine0 = sineOf(theta0, square0);
    const cosine0 = cosineOf(square0);
    const swap0 = swapped(sine0, cosine0, turn0);
    const r1 = radius(v128.load(at, 2 * VECTOR));
    const turn1 = eighthTurnOn(v128.load(at, 3 * VECTOR));
    const theta1 = angleOf(v128.load(at, 3 * VECTOR), turn1);
    const square1 = f32x4.mul(theta1, theta1);
    const sine1 = sineOf(theta1, square1);
    const cosine1 = cosineOf(square1);
    const swap1 = swapped(sine1, cosine1, turn1);
    storeBlocks(
      at,
      v128.xor(f32x4.mul(r0, v128.xor(cosine0, swap0)), cosineSign(turn0)),
      v128.xor(f32x4.mul(r0, v128.xor(sine0, swap0)), sineSign(turn0)),
      v128.xor(f32x4.mul(r1, v128.xor(cosine1, swap1)), cosineSign(turn1)),
      v128.xor(f32x4.mul(r1, v128.xor(sine1, swap1)), sineSign(turn1)),
    );
  }
}

/** sqrt(-2 log u) */
// @ts-ignore: decorator
@inline
function radius(word: v128): v128 {
  // x = min(u, 1 - u), with a rounding error in proportion: words from 2^31 on are counted from the other end.
  const above = i32x4.shr_s(word, 31);
  const x = multiplyAdd(
    f32x4.convert_i32x4_s(v128.xor(word, above)),
    f32x4.splat(2.3283064365386963e-10),
    f32x4.splat(1.1641532182693481e-10),
  );
  const u = v128.bitselect(f32x4.sub(f32x4.splat(1), x), x, above);
  // u = 2^e m, m in [sqrt(1/2), sqrt(2)).
  const bits = i32x4.sub(u, f32x4.splat(SQRT_HALF));
  const e = i32x4.shr_s(bits, 23);
  const m = i32x4.sub(u, i32x4.shl(e, 23));
  // f = m - 1, which is -x where u = m: from sqrt(1/2) on.
  const f = v128.bitselect(f32x4.neg(x), f32x4.sub(m, f32x4.splat(1)), i32x4.eq(e, i32x4.splat(0)));
  const z = f32x4.mul(f, f);
  let p = multiplyAdd(f, f32x4.splat(7.0376836292e-2), f32x4.splat(-1.151461031e-1));
  p = multiplyAdd(p, f, f32x4.splat(1.167699874e-1));
  p = multiplyAdd(p, f, f32x4.splat(-1.242014084e-1));
  p = multiplyAdd(p, f, f32x4.splat(1.4249322787e-1));
  p = multiplyAdd(p, f, f32x4.splat(-1.6668057665e-1));
  p = multiplyAdd(p, f, f32x4.splat(2.0000714765e-1));
  p = multiplyAdd(p, f, f32x4.splat(-2.4999993993e-1));
  p = multiplyAdd(p, f, f32x4.splat(3.3333331174e-1));
  const turns = f32x4.convert_i32x4_s(e);
  // log(1 + f) = f - z/2 + f z p
  let tail = multiplyAdd(f32x4.mul(p, z), f, f32x4.mul(turns, f32x4.splat(LOG2_LOW)));
  tail = multiplySubtract(z, f32x4.splat(0.5), tail);
  const log = multiplyAdd(turns, f32x4.splat(LOG2_HIGH), f32x4.add(f, tail));
  return f32x4.sqrt(f32x4.mul(log, f32x4.splat(-2)));
}

/** The word, an eighth of a turn on: its two upper bits are the quarter turn q nearest to the angle. */
// @ts-ignore: decorator
@inline
function eighthTurnOn(word: v128): v128 {
  return i32x4.add(word, i32x4.splat(EIGHTH_TURN));
}

/** What is left of the angle beside q quarter turns, in [-pi/4, pi/4). */
// @ts-ignore: decorator
@inline
function angleOf(word: v128, turn: v128): v128 {
  const rest = i32x4.sub(word, v128.and(turn, i32x4.splat(QUARTERS)));
  return f32x4.mul(f32x4.convert_i32x4_s(rest), f32x4.splat(ANGLE));
}

// @ts-ignore: decorator
@inline
function sineOf(theta: v128, square: v128): v128 {
  let p = multiplyAdd(square, f32x4.splat(-1.9515295891e-4), f32x4.splat(8.3321608736e-3));
  p = multiplyAdd(p, square, f32x4.splat(-1.6666654611e-1));
  return multiplyAdd(f32x4.mul(p, square), theta, theta);
}

// @ts-ignore: decorator
@inline
function cosineOf(square: v128): v128 {
  let p = multiplyAdd(square, f32x4.splat(2.443315711809948e-5), f32x4.splat(-1.388731625493765e-3));
  p = multiplyAdd(p, square, f32x4.splat(4.166664568298827e-2));
  const q = multiplySubtract(square, f32x4.splat(0.5), f32x4.splat(1));
  return multiplyAdd(f32x4.mul(square, square), p, q);
}

/** cos(theta + q pi/2) is cosine, -sine, -cosine, sine: what turns one into the other where q is odd, by exclusive or. */
// @ts-ignore: decorator
@inline
function swapped(sine: v128, cosine: v128, turn: v128): v128 {
  return v128.and(v128.xor(sine, cosine), i32x4.shr_s(i32x4.shl(turn, 1), 31));
}

/** Negative for q = 1, 2. */
// @ts-ignore: decorator
@inline
function cosineSign(turn: v128): v128 {
  return v128.and(i32x4.add(turn, i32x4.splat(QUARTER_TURN)), i32x4.splat(SIGN));
}

/** Negative for q = 2, 3. */
// @ts-ignore: decorator
@inline
function sineSign(turn: v128): v128 {
  return v128.and(turn, i32x4.splat(SIGN));
}
