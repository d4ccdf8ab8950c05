/** Rows moved by index: gathered, summed by segment, written as one-hot codes. Indices are int32; a number has four bytes. */
import { NUMBER, VECTOR } from "./simd";

/**
 * out[i] = table[indices[i]], rows of `width` numbers. Returns -1, or the place of the first index outside [0, rows): nothing
 * is read for it.
 */
export function gatherRows(
  table: usize,
  indices: usize,
  out: usize,
  count: usize,
  rows: i32,
  width: usize,
): i32 {
  const bytes = width * NUMBER;
  for (let i: usize = 0; i < count; i += 1) {
    const row = load<i32>(indices + i * NUMBER);
    if (<u32>row >= <u32>rows) return <i32>i;
    copyRow(out + i * bytes, table + <usize>row * bytes, bytes);
  }
  return -1;
}

/** Shorter rows are copied by vectors: one of 64 bytes takes 3.4 ns so, and 6.5 ns by memory.copy. */
const LEAST_COPY_BYTES: usize = 256;

// @ts-ignore: decorator
@inline
function copyRow(to: usize, from: usize, bytes: usize): void {
  if (bytes >= LEAST_COPY_BYTES) {
    memory.copy(to, from, bytes);
    return;
  }
  const whole = bytes - (bytes % VECTOR);
  let at: usize = 0;
  for (; at < whole; at += VECTOR) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += NUMBER) store<i32>(to + at, load<i32>(from + at));
}

/** out[s] = sum of x[i] over the i with segments[i] = s, in the order of i; a segment outside [0, count) is left out. */
export function segmentSum(
  x: usize,
  segments: usize,
  out: usize,
  rows: usize,
  width: usize,
  count: i32,
): void {
  const bytes = width * NUMBER;
  memory.fill(out, 0, <usize>count * bytes);
  for (let i: usize = 0; i < rows; i += 1) {
    const segment = load<i32>(segments + i * NUMBER);
    if (<u32>segment >= <u32>count) continue;
    addRow(out + <usize>segment * bytes, x + i * bytes, bytes);
  }
}

// @ts-ignore: decorator
@inline
function addRow(to: usize, from: usize, bytes: usize): void {
  const whole = bytes - (bytes % VECTOR);
  let at: usize = 0;
  for (; at < whole; at += VECTOR) v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
  for (; at < bytes; at += NUMBER) store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
}

/** One row of `depth` numbers an index: `on` at the index, `off` elsewhere; an index outside [0, depth) has no `on`. */
export function oneHotRows(indices: usize, out: usize, count: usize, depth: i32, on: f32, off: f32): void {
  for (let i: usize = 0; i < count; i += 1) {
    const row = out + i * <usize>depth * NUMBER;
    for (let j: usize = 0; j < <usize>depth; j += 1) store<f32>(row + j * NUMBER, off);
    const index = load<i32>(indices + i * NUMBER);
    if (<u32>index < <u32>depth) store<f32>(row + <usize>index * NUMBER, on);
  }
}
