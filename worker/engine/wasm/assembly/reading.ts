/**
 * What is read at a chain's position w on a batch of two halves h (worker/sample/batch-pool.ts): |w - w0|^2, and
 *   mean over the rows r of half h of (l_r(w) - l_r(w0)) - D_h . (w - w0),   D_1 = D + E, D_2 = D - E.
 * A chain's sums run in four partial sums from its first number to its last, whoever is beside it.
 */
import { LANES, NUMBER, VECTOR, loadPart, multiplyAdd, sumLanes } from "./simd";

/**
 * Adds one parameter's share of |w - w0|^2, of D . (w - w0) and of E . (w - w0).
 *
 * @param position, anchor [chains, size]
 * @param corrections D and E, [rows, 2, size]; 0 for none
 * @param rows of `corrections`, one a chain, int32
 * @param squares [chains]
 * @param along [chains, 2]; not touched where there are no corrections
 */
export function readParameter(
  position: usize,
  anchor: usize,
  corrections: usize,
  rows: usize,
  squares: usize,
  along: usize,
  chains: usize,
  size: usize,
): void {
  const bytes = size * NUMBER;
  for (let chain: usize = 0; chain < chains; chain += 1) {
    const one = chain * NUMBER;
    const correction = corrections == 0 ? <usize>0 : corrections + <usize>load<u32>(rows + one) * 2 * bytes;
    readChain(position + chain * bytes, anchor + chain * bytes, correction, squares + one, along + 2 * one, size);
  }
}

function readChain(w: usize, w0: usize, correction: usize, squares: usize, along: usize, size: usize): void {
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  const rest = size % LANES;
  let sum = f32x4.splat(0);
  let middle = sum;
  let apart = sum;
  for (let at: usize = 0; at < whole; at += VECTOR) {
    const delta = f32x4.sub(v128.load(w + at), v128.load(w0 + at));
    sum = multiplyAdd(delta, delta, sum);
    if (correction == 0) continue;
    middle = multiplyAdd(delta, v128.load(correction + at), middle);
    apart = multiplyAdd(delta, v128.load(correction + bytes + at), apart);
  }
  if (rest != 0) {
    const delta = f32x4.sub(loadPart(w + whole, rest), loadPart(w0 + whole, rest));
    sum = multiplyAdd(delta, delta, sum);
    if (correction != 0) {
      middle = multiplyAdd(delta, loadPart(correction + whole, rest), middle);
      apart = multiplyAdd(delta, loadPart(correction + bytes + whole, rest), apart);
    }
  }
  addTo(squares, sumLanes(sum));
  if (correction == 0) return;
  addTo(along, sumLanes(middle));
  addTo(along + NUMBER, sumLanes(apart));
}

// @ts-ignore: decorator
@inline
function addTo(address: usize, value: f32): void {
  store<f32>(address, load<f32>(address) + value);
}

/**
 * Mean paired differences of each chain's rows by halves, less D_h . (w - w0), [chains, 2]; `halves` 1: the mean of all
 * rows, twice.
 *
 * @param losses [chains, count]
 * @param base [rows, count], by `rows`
 * @param along D . (w - w0) and E . (w - w0), [chains, 2]
 */
export function readLosses(
  losses: usize,
  base: usize,
  rows: usize,
  along: usize,
  out: usize,
  chains: usize,
  count: usize,
  halves: usize,
): void {
  const part = count / halves;
  for (let chain: usize = 0; chain < chains; chain += 1) {
    const at = losses + chain * count * NUMBER;
    const from = base + <usize>load<u32>(rows + chain * NUMBER) * count * NUMBER;
    const to = out + 2 * chain * NUMBER;
    const middle = load<f32>(along + 2 * chain * NUMBER);
    const apart = load<f32>(along + 2 * chain * NUMBER, NUMBER);
    const second = (count - part) * NUMBER;
    store<f32>(to, meanDifference(at, from, part) - (middle + apart));
    store<f32>(to, meanDifference(at + second, from + second, part) - (middle - apart), NUMBER);
  }
}

function meanDifference(a: usize, b: usize, count: usize): f32 {
  const whole = (count - (count % LANES)) * NUMBER;
  const rest = count % LANES;
  let sum = f32x4.splat(0);
  for (let at: usize = 0; at < whole; at += VECTOR) {
    sum = f32x4.add(sum, f32x4.sub(v128.load(a + at), v128.load(b + at)));
  }
  if (rest != 0) sum = f32x4.add(sum, f32x4.sub(loadPart(a + whole, rest), loadPart(b + whole, rest)));
  return sumLanes(sum) / <f32>count;
}
