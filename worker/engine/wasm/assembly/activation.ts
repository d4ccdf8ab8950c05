/**
 * The nonlinearities of src/catalogue/architecture/activation.ts, forward and back, over adjacent numbers. What the gradient
 * needs is kept: the output itself of tanh and relu, the slope of gelu.
 *
 * In and out may be the same, number by number.
 */
import { exponentialInside, hyperbolicTangent, scaledNormalTail } from "./math";
import { LANES, NUMBER, VECTOR, loadPart, storePart } from "./simd";

export const NONE: i32 = 0;
export const TANH: i32 = 1;
export const RELU: i32 = 2;
export const GELU: i32 = 3;

/** @param slope read by gelu's gradient alone, and written for gelu alone */
export function activate(kind: i32, z: usize, y: usize, slope: usize, count: usize): void {
  if (kind == TANH) activateAs(TANH, z, y, count);
  else if (kind == RELU) activateAs(RELU, z, y, count);
  else if (kind == GELU) activateGelu(z, y, slope, count);
  else if (z != y) memory.copy(y, z, count * NUMBER);
}

/** dz = dy phi'(z). @param kept y, or gelu's slope */
export function activateGradient(kind: i32, dy: usize, kept: usize, dz: usize, count: usize): void {
  if (kind == TANH) gradientAs(TANH, dy, kept, dz, count);
  else if (kind == RELU) gradientAs(RELU, dy, kept, dz, count);
  else if (kind == GELU) gradientAs(GELU, dy, kept, dz, count);
  else if (dy != dz) memory.copy(dz, dy, count * NUMBER);
}

// @ts-ignore: decorator
@inline
function activateAs(kind: i32, z: usize, y: usize, count: usize): void {
  const rest = count % LANES;
  const end = z + (count - rest) * NUMBER;
  for (; z < end; z += VECTOR) {
    v128.store(y, valueOf(kind, v128.load(z)));
    y += VECTOR;
  }
  if (rest != 0) storePart(y, valueOf(kind, loadPart(z, rest)), rest);
}

/** `kind` is a constant where this is inlined. pmax keeps its first operand when that is NaN. */
// @ts-ignore: decorator
@inline
function valueOf(kind: i32, z: v128): v128 {
  return kind == TANH ? hyperbolicTangent(z) : f32x4.pmax(z, f32x4.splat(0));
}

function activateGelu(z: usize, y: usize, slope: usize, count: usize): void {
  const rest = count % LANES;
  const end = z + (count - rest) * NUMBER;
  for (; z < end; z += VECTOR) {
    const x = v128.load(z);
    const a = magnitude(x);
    const e = gaussian(a);
    const tail = f32x4.mul(e, scaledNormalTail(a));
    v128.store(y, geluOf(x, a, tail));
    v128.store(slope, geluSlope(x, a, e, tail));
    y += VECTOR;
    slope += VECTOR;
  }
  if (rest == 0) return;
  const x = loadPart(z, rest);
  const a = magnitude(x);
  const e = gaussian(a);
  const tail = f32x4.mul(e, scaledNormalTail(a));
  storePart(y, geluOf(x, a, tail), rest);
  storePart(slope, geluSlope(x, a, e, tail), rest);
}

/** |x|, at most 13.2: from there on x Phi(x) is its limit to less than 10^-37, and e^(-x^2/2) is still a normal number. */
// @ts-ignore: decorator
@inline
function magnitude(x: v128): v128 {
  return f32x4.pmin(f32x4.abs(x), f32x4.splat(13.2));
}

/** e^(-a^2/2); a NaN comes back from a alone, whatever this makes of it. */
// @ts-ignore: decorator
@inline
function gaussian(a: v128): v128 {
  return exponentialInside(f32x4.mul(f32x4.mul(a, a), f32x4.splat(-0.5)));
}

/** x Phi(x) = max(x, 0) - |x| Phi(-|x|), which cancels nowhere below zero. */
// @ts-ignore: decorator
@inline
function geluOf(x: v128, a: v128, tail: v128): v128 {
  return f32x4.sub(f32x4.pmax(x, f32x4.splat(0)), f32x4.mul(a, tail));
}

/** Phi(x) + x e^(-x^2/2) / sqrt(2 pi) */
// @ts-ignore: decorator
@inline
function geluSlope(x: v128, a: v128, e: v128, tail: v128): v128 {
  const distribution = v128.bitselect(tail, f32x4.sub(f32x4.splat(1), tail), f32x4.lt(x, f32x4.splat(0)));
  const sign = v128.and(x, i32x4.splat(0x80000000));
  const density = f32x4.mul(e, f32x4.splat(0.3989422804014327));
  return f32x4.add(distribution, v128.xor(sign, f32x4.mul(a, density)));
}

// @ts-ignore: decorator
@inline
function gradientAs(kind: i32, dy: usize, kept: usize, dz: usize, count: usize): void {
  const rest = count % LANES;
  const end = dy + (count - rest) * NUMBER;
  for (; dy < end; dy += VECTOR) {
    v128.store(dz, gradientOf(kind, v128.load(dy), v128.load(kept)));
    kept += VECTOR;
    dz += VECTOR;
  }
  if (rest != 0) storePart(dz, gradientOf(kind, loadPart(dy, rest), loadPart(kept, rest)), rest);
}

/** tanh' = (1 - y)(1 + y), which loses nothing near y = 1. relu' is 0 at 0. */
// @ts-ignore: decorator
@inline
function gradientOf(kind: i32, dy: v128, kept: v128): v128 {
  if (kind == RELU) return v128.andnot(dy, f32x4.le(kept, f32x4.splat(0)));
  if (kind == GELU) return f32x4.mul(dy, kept);
  const one = f32x4.splat(1);
  return f32x4.mul(dy, f32x4.mul(f32x4.sub(one, kept), f32x4.add(one, kept)));
}
