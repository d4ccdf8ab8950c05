/**
 * `leapfrog`: half of a leapfrog step for one parameter of all chains (worker/sample/leapfrog.ts has the equations), in one pass:
 *   p' = p - kick (t g + gamma (w - w0)),   w' = w + drift p'.
 * `phaseSums`: what is measured of them on the way.
 */
import { LANES, NUMBER, VECTOR, loadPart, multiplyAdd, multiplySubtract, storePart, sumLanes } from "./simd";

/**
 * Tensors are [chains, size].
 *
 * @param t, gamma, kick, drift [chains]
 */
export function leapfrog(
  position: usize,
  momentum: usize,
  gradient: usize,
  anchor: usize,
  t: usize,
  gamma: usize,
  kick: usize,
  drift: usize,
  outPosition: usize,
  outMomentum: usize,
  chains: usize,
  size: usize,
): void {
  const bytes = size * NUMBER;
  for (let chain: usize = 0; chain < chains; chain += 1) {
    const at = chain * bytes;
    const one = chain * NUMBER;
    moveChain(
      position + at,
      momentum + at,
      gradient + at,
      anchor + at,
      outPosition + at,
      outMomentum + at,
      size,
      load<f32>(t + one),
      load<f32>(gamma + one),
      load<f32>(kick + one),
      load<f32>(drift + one),
    );
  }
}

function moveChain(
  position: usize,
  momentum: usize,
  gradient: usize,
  anchor: usize,
  outPosition: usize,
  outMomentum: usize,
  size: usize,
  t: f32,
  gamma: f32,
  kick: f32,
  drift: f32,
): void {
  const vt = f32x4.splat(t);
  const vGamma = f32x4.splat(gamma);
  const vKick = f32x4.splat(kick);
  const vDrift = f32x4.splat(drift);
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  for (let at: usize = 0; at < whole; at += VECTOR) {
    const w = v128.load(position + at);
    const p = kicked(w, v128.load(momentum + at), v128.load(gradient + at), v128.load(anchor + at), vt, vGamma, vKick);
    v128.store(outMomentum + at, p);
    v128.store(outPosition + at, multiplyAdd(vDrift, p, w));
  }
  const rest = size % LANES;
  if (rest == 0) return;
  const w = loadPart(position + whole, rest);
  const p0 = loadPart(momentum + whole, rest);
  const p = kicked(w, p0, loadPart(gradient + whole, rest), loadPart(anchor + whole, rest), vt, vGamma, vKick);
  storePart(outMomentum + whole, p, rest);
  storePart(outPosition + whole, multiplyAdd(vDrift, p, w), rest);
}

// @ts-ignore: decorator
@inline
function kicked(w: v128, p: v128, g: v128, w0: v128, t: v128, gamma: v128, kick: v128): v128 {
  return multiplySubtract(kick, multiplyAdd(t, g, f32x4.mul(gamma, f32x4.sub(w, w0))), p);
}

/**
 * Adds one parameter's share of what `measurePhase` of worker/sample/leapfrog.ts says, [chains, 4]:
 *   (|p|^2 - |p_0|^2) / 2,   (|w - w0|^2 - |w_0 - w0|^2) / 2,   |w - w0|^2,   (w - w0) . g,
 * with p the momentum after one more kick, (w_0, p_0) the start of the trajectory. The first two are sums of differences: a
 * difference of two sums would lose in float32 what acceptance hangs on.
 */
export function phaseSums(
  position: usize,
  momentum: usize,
  gradient: usize,
  anchor: usize,
  startPosition: usize,
  startMomentum: usize,
  t: usize,
  gamma: usize,
  kick: usize,
  out: usize,
  chains: usize,
  size: usize,
): void {
  const bytes = size * NUMBER;
  for (let chain: usize = 0; chain < chains; chain += 1) {
    const at = chain * bytes;
    const one = chain * NUMBER;
    sumChain(
      position + at,
      momentum + at,
      gradient + at,
      anchor + at,
      startPosition + at,
      startMomentum + at,
      out + 4 * one,
      size,
      f32x4.splat(load<f32>(t + one)),
      f32x4.splat(load<f32>(gamma + one)),
      f32x4.splat(load<f32>(kick + one)),
    );
  }
}

function sumChain(
  position: usize,
  momentum: usize,
  gradient: usize,
  anchor: usize,
  startPosition: usize,
  startMomentum: usize,
  out: usize,
  size: usize,
  t: v128,
  gamma: v128,
  kick: v128,
): void {
  const half = f32x4.splat(0.5);
  const zero = f32x4.splat(0);
  let kinetic = zero;
  let pull = zero;
  let square = zero;
  let slope = zero;
  for (let i: usize = 0; i < size; i += LANES) {
    const at = i * NUMBER;
    const count = size - i;
    const w = loadSome(position + at, count);
    const w0 = loadSome(anchor + at, count);
    const g = loadSome(gradient + at, count);
    const p = kicked(w, loadSome(momentum + at, count), g, w0, t, gamma, kick);
    const p0 = loadSome(startMomentum + at, count);
    const from = f32x4.sub(w, w0);
    const moved = f32x4.sub(w, loadSome(startPosition + at, count));
    kinetic = multiplyAdd(f32x4.mul(half, f32x4.sub(p, p0)), f32x4.add(p, p0), kinetic);
    // (a^2 - b^2)/2 with a = w - w0, a - b = moved, a + b = 2 a - moved.
    pull = multiplyAdd(moved, f32x4.sub(from, f32x4.mul(half, moved)), pull);
    square = multiplyAdd(from, from, square);
    slope = multiplyAdd(from, g, slope);
  }
  addTo(out, sumLanes(kinetic));
  addTo(out + NUMBER, sumLanes(pull));
  addTo(out + 2 * NUMBER, sumLanes(square));
  addTo(out + 3 * NUMBER, sumLanes(slope));
}

// @ts-ignore: decorator
@inline
function loadSome(address: usize, count: usize): v128 {
  return count >= LANES ? v128.load(address) : loadPart(address, count);
}

// @ts-ignore: decorator
@inline
function addTo(address: usize, value: f32): void {
  store<f32>(address, load<f32>(address) + value);
}
