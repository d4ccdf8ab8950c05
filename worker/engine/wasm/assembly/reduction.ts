/**
 * Sums in an order that depends on the length of the sum alone, and the count of rows whose largest numbers agree. Addresses in
 * bytes, lengths in numbers.
 */
import { LANES, NUMBER, VECTOR, loadPart, storePart, sumLanes } from "./simd";

/** Numbers that a sum over adjacent ones takes at a time: four vectors, so that no addition waits for the one before. */
const STRIDE: usize = 4 * LANES;

/** out[i] = (sum of x[i, :]) / divisor, for x [rows x length]. */
export function sumAdjacent(x: usize, out: usize, rows: usize, length: usize, divisor: f32): void {
  for (let i: usize = 0; i < rows; i += 1) {
    store<f32>(out + i * NUMBER, sumOf(x + i * length * NUMBER, length) / divisor);
  }
}

function sumOf(x: usize, length: usize): f32 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let i: usize = 0;
  for (; i + STRIDE <= length; i += STRIDE) {
    const at = x + i * NUMBER;
    s0 = f32x4.add(s0, v128.load(at));
    s1 = f32x4.add(s1, v128.load(at, VECTOR));
    s2 = f32x4.add(s2, v128.load(at, 2 * VECTOR));
    s3 = f32x4.add(s3, v128.load(at, 3 * VECTOR));
  }
  for (; i + LANES <= length; i += LANES) s0 = f32x4.add(s0, v128.load(x + i * NUMBER));
  if (i < length) s1 = f32x4.add(s1, loadPart(x + i * NUMBER, length - i));
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

/** out[i, j] = (sum of x[i, :, j]) / divisor, one after the other, for x [blocks x length x width]. */
export function sumRows(x: usize, out: usize, blocks: usize, length: usize, width: usize, divisor: f32): void {
  const row = width * NUMBER;
  for (let i: usize = 0; i < blocks; i += 1) {
    let j: usize = 0;
    for (; j + STRIDE <= width; j += STRIDE) sumWide(x + j * NUMBER, out + j * NUMBER, length, row, divisor);
    for (; j < width; j += LANES) {
      sumNarrow(x + j * NUMBER, out + j * NUMBER, length, row, min<usize>(LANES, width - j), divisor);
    }
    x += length * row;
    out += row;
  }
}

/** Sixteen columns. */
function sumWide(x: usize, out: usize, length: usize, row: usize, divisor: f32): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let i: usize = 0; i < length; i += 1) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, VECTOR));
    s2 = f32x4.add(s2, v128.load(x, 2 * VECTOR));
    s3 = f32x4.add(s3, v128.load(x, 3 * VECTOR));
    x += row;
  }
  const d = f32x4.splat(divisor);
  v128.store(out, f32x4.div(s0, d));
  v128.store(out, f32x4.div(s1, d), VECTOR);
  v128.store(out, f32x4.div(s2, d), 2 * VECTOR);
  v128.store(out, f32x4.div(s3, d), 3 * VECTOR);
}

/** One to four columns. */
function sumNarrow(x: usize, out: usize, length: usize, row: usize, count: usize, divisor: f32): void {
  let sum = f32x4.splat(0);
  const d = f32x4.splat(divisor);
  if (count == LANES) {
    for (let i: usize = 0; i < length; i += 1) sum = f32x4.add(sum, v128.load(x + i * row));
    v128.store(out, f32x4.div(sum, d));
  } else {
    for (let i: usize = 0; i < length; i += 1) sum = f32x4.add(sum, loadPart(x + i * row, count));
    storePart(out, f32x4.div(sum, d), count);
  }
}

/** out[k]: of the `rows` rows of member k, how many have the first of their largest numbers at the same place in a and in b. */
export function countHits(a: usize, b: usize, out: usize, members: usize, rows: usize, width: usize): void {
  const bytes = width * NUMBER;
  for (let k: usize = 0; k < members; k += 1) {
    let hits: u32 = 0;
    for (let i: usize = 0; i < rows; i += 1) {
      hits += u32(largestAt(a, width) == largestAt(b, width));
      a += bytes;
      b += bytes;
    }
    store<f32>(out + k * NUMBER, <f32>hits);
  }
}

// @ts-ignore: decorator
@inline
function largestAt(x: usize, width: usize): usize {
  let largest = load<f32>(x);
  let at: usize = 0;
  for (let j: usize = 1; j < width; j += 1) {
    const value = load<f32>(x + j * NUMBER);
    const more = value > largest;
    largest = select<f32>(value, largest, more);
    at = select<usize>(j, at, more);
  }
  return at;
}
