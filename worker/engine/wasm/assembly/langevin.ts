/**
 * One step of localised Langevin dynamics for one parameter of all chains (worker/sample/sgld.ts has the equation and its
 * sources), in one pass: with D the correction of the chain's batch,
 *   w' = w - (eps/2) M (t (g - D) + gamma (w - w0)) + sqrt(eps M) xi,
 * xi the chain's own normals of (key, step, index): averaged with those of the step before, or alone.
 */
import { LANES, NUMBER, VECTOR, loadPart, multiplyAdd, multiplySubtract, storePart } from "./simd";
import { normals } from "./draws";
import { GROUP_BYTES } from "./philox";

/** Bytes of scratch for a parameter of `size` numbers a chain. */
export function langevinScratchBytes(size: usize): usize {
  return size * NUMBER + GROUP_BYTES;
}

/**
 * Tensors are [chains, size]. `before` and `fresh` are the normals of the step before and of this one, which is written; both
 * 0 where normals act alone.
 *
 * @param corrections [rows, 2, size], D first; 0 for none
 * @param rows of `corrections`, one a chain, int32
 * @param root sqrt(M), [chains, size]; 0 for M = 1
 * @param keys [chains, 2], the words of each chain's key
 * @param t, gamma, epsilon [chains]
 */
export function langevinStep(
  position: usize,
  gradient: usize,
  anchor: usize,
  corrections: usize,
  rows: usize,
  root: usize,
  keys: usize,
  t: usize,
  gamma: usize,
  epsilon: usize,
  before: usize,
  fresh: usize,
  out: usize,
  chains: usize,
  size: usize,
  step: u32,
  index: u32,
  scratch: usize,
): void {
  const bytes = size * NUMBER;
  const normal = scratch + GROUP_BYTES;
  for (let chain: usize = 0; chain < chains; chain += 1) {
    const at = chain * bytes;
    const one = chain * NUMBER;
    const key = keys + 2 * one;
    const xi = fresh == 0 ? normal : fresh + at;
    normals(xi, size, load<u32>(key), load<u32>(key, NUMBER), step, index, scratch);
    moveChain(
      position + at,
      gradient + at,
      anchor + at,
      corrections == 0 ? <usize>0 : corrections + <usize>load<u32>(rows + one) * 2 * bytes,
      root == 0 ? <usize>0 : root + at,
      before == 0 ? <usize>0 : before + at,
      xi,
      out + at,
      size,
      load<f32>(t + one),
      load<f32>(gamma + one),
      load<f32>(epsilon + one),
    );
  }
}

function moveChain(
  position: usize,
  gradient: usize,
  anchor: usize,
  correction: usize,
  root: usize,
  before: usize,
  xi: usize,
  out: usize,
  size: usize,
  t: f32,
  gamma: f32,
  epsilon: f32,
): void {
  const vt = f32x4.splat(t);
  const vGamma = f32x4.splat(gamma);
  const halfStep = f32x4.splat(<f32>0.5 * epsilon);
  const noiseScale = f32x4.splat(sqrt<f32>(epsilon));
  const one = f32x4.splat(1);
  const half = f32x4.splat(0.5);
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  for (let at: usize = 0; at < whole; at += VECTOR) {
    let g = v128.load(gradient + at);
    if (correction != 0) g = f32x4.sub(g, v128.load(correction + at));
    let noise = v128.load(xi + at);
    if (before != 0) noise = f32x4.mul(half, f32x4.add(v128.load(before + at), noise));
    const w = v128.load(position + at);
    const r = root == 0 ? one : v128.load(root + at);
    v128.store(out + at, moved(w, v128.load(anchor + at), g, noise, r, vt, vGamma, halfStep, noiseScale));
  }
  const rest = size % LANES;
  if (rest == 0) return;
  let g = loadPart(gradient + whole, rest);
  if (correction != 0) g = f32x4.sub(g, loadPart(correction + whole, rest));
  let noise = loadPart(xi + whole, rest);
  if (before != 0) noise = f32x4.mul(half, f32x4.add(loadPart(before + whole, rest), noise));
  const w = loadPart(position + whole, rest);
  const r = root == 0 ? one : loadPart(root + whole, rest);
  const w0 = loadPart(anchor + whole, rest);
  storePart(out + whole, moved(w, w0, g, noise, r, vt, vGamma, halfStep, noiseScale), rest);
}

// @ts-ignore: decorator
@inline
function moved(
  w: v128,
  w0: v128,
  g: v128,
  xi: v128,
  r: v128,
  t: v128,
  gamma: v128,
  halfStep: v128,
  noiseScale: v128,
): v128 {
  const drift = multiplyAdd(t, g, f32x4.mul(gamma, f32x4.sub(w, w0)));
  const pulled = multiplySubtract(halfStep, f32x4.mul(f32x4.mul(r, r), drift), w);
  return multiplyAdd(noiseScale, f32x4.mul(r, xi), pulled);
}
