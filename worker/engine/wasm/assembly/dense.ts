/**
 * A fused dense layer, y = phi(x W + b), and its gradients, member after member, rows in blocks that stay in cache. The sum of
 * an output begins with its bias.
 */
import { NONE, activate, activateGradient } from "./activation";
import { matmulScratchBytes, multiply } from "./matmul";
import { LANES, NUMBER, VECTOR, loadPart, storePart } from "./simd";

/** Numbers of x and y in one block of rows: half of a common second-level cache. */
const BLOCK: usize = 1 << 16;
/** Fewer rows would not pay for packing the weights again. */
const LEAST_ROWS: usize = 64;

// @ts-ignore: decorator
@inline
function rowsOfBlock(inner: usize, columns: usize): usize {
  return max<usize>(LEAST_ROWS, BLOCK / max<usize>(1, inner + columns));
}

export function denseScratchBytes(rows: usize, inner: usize, columns: usize): usize {
  const block = min<usize>(rows, rowsOfBlock(inner, columns));
  const forward = matmulScratchBytes(columns, inner);
  const toWeight = max<usize>(matmulScratchBytes(columns, block), matmulScratchBytes(inner, block));
  const toInput = matmulScratchBytes(inner, columns);
  return block * columns * NUMBER + max<usize>(forward, max<usize>(toWeight, toInput));
}

/**
 * @param x [members, rows, inner]
 * @param weight [members, inner, columns]
 * @param bias [members, 1, columns], or 0
 * @param y [members, rows, columns]
 * @param slope as y, written for gelu
 */
export function denseForward(
  x: usize,
  weight: usize,
  bias: usize,
  y: usize,
  slope: usize,
  members: usize,
  rows: usize,
  inner: usize,
  columns: usize,
  kind: i32,
  scratch: usize,
): void {
  const block = rowsOfBlock(inner, columns);
  for (let m: usize = 0; m < members; m += 1) {
    for (let row: usize = 0; row < rows; row += block) {
      const count = min<usize>(block, rows - row);
      const out = (m * rows + row) * columns * NUMBER;
      if (bias != 0) fillRows(bias + m * columns * NUMBER, y + out, count, columns);
      multiply(
        x + (m * rows + row) * inner * NUMBER,
        weight + m * inner * columns * NUMBER,
        y + out,
        count,
        columns,
        inner,
        inner,
        1,
        columns,
        1,
        columns,
        bias != 0,
        scratch,
      );
      activate(kind, y + out, y + out, slope + out, count * columns);
    }
  }
}

/**
 * dz = dy phi'(z);  dW = x^T dz,  db = sum over rows of dz,  dx = dz W^T
 *
 * @param kept y, or gelu's slope
 * @param dx 0 where it is not asked for
 * @param dBias 0 where there is no bias
 */
export function denseGradient(
  x: usize,
  weight: usize,
  kept: usize,
  dy: usize,
  dx: usize,
  dWeight: usize,
  dBias: usize,
  members: usize,
  rows: usize,
  inner: usize,
  columns: usize,
  kind: i32,
  scratch: usize,
): void {
  const block = rowsOfBlock(inner, columns);
  const rest = scratch + min<usize>(rows, block) * columns * NUMBER;
  for (let m: usize = 0; m < members; m += 1) {
    const dW = dWeight + m * inner * columns * NUMBER;
    const db = dBias + m * columns * NUMBER;
    if (dBias != 0) memory.fill(db, 0, columns * NUMBER);
    let row: usize = 0;
    // Once at the least, so that without rows the gradients are zeros.
    do {
      const count = min<usize>(block, rows - row);
      const at = m * rows + row;
      let dz = dy + at * columns * NUMBER;
      if (kind != NONE) {
        activateGradient(kind, dz, kept + at * columns * NUMBER, scratch, count * columns);
        dz = scratch;
      }
      if (dBias != 0) addRowSums(dz, db, count, columns);
      toWeight(x + at * inner * NUMBER, dz, dW, count, inner, columns, row != 0, rest);
      if (dx != 0) toInput(dz, weight + m * inner * columns * NUMBER, dx + at * inner * NUMBER, count, inner, columns, rest);
      row += block;
    } while (row < rows);
  }
}

/** dW = x^T dz, or dW += x^T dz. A single column is computed as the row that it is in memory: the same sums, more lanes. */
function toWeight(
  x: usize,
  dz: usize,
  dW: usize,
  rows: usize,
  inner: usize,
  columns: usize,
  accumulate: bool,
  scratch: usize,
): void {
  if (columns == 1) multiply(dz, x, dW, 1, inner, rows, 1, 1, inner, 1, inner, accumulate, scratch);
  else multiply(x, dz, dW, inner, columns, rows, 1, inner, columns, 1, columns, accumulate, scratch);
}

function toInput(
  dz: usize,
  weight: usize,
  dx: usize,
  rows: usize,
  inner: usize,
  columns: usize,
  scratch: usize,
): void {
  multiply(dz, weight, dx, rows, inner, columns, columns, 1, 1, columns, inner, false, scratch);
}

/** The row, `rows` times. */
function fillRows(row: usize, to: usize, rows: usize, width: usize): void {
  const bytes = width * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  const rest = width % LANES;
  for (let i: usize = 0; i < rows; i += 1) {
    for (let at: usize = 0; at < whole; at += VECTOR) v128.store(to + at, v128.load(row + at));
    if (rest != 0) storePart(to + whole, loadPart(row + whole, rest), rest);
    to += bytes;
  }
}

/** sums += the sum over rows, one row after the other. */
export function addRowSums(x: usize, sums: usize, rows: usize, width: usize): void {
  const stride = width * NUMBER;
  const end = x + rows * stride;
  const rest = width % LANES;
  let j: usize = 0;
  for (; j + LANES <= width; j += LANES) {
    let sum = v128.load(sums + j * NUMBER);
    for (let at = x + j * NUMBER; at < end; at += stride) sum = f32x4.add(sum, v128.load(at));
    v128.store(sums + j * NUMBER, sum);
  }
  if (rest == 0) return;
  let sum = loadPart(sums + j * NUMBER, rest);
  for (let at = x + j * NUMBER; at < end; at += stride) sum = f32x4.add(sum, loadPart(at, rest));
  storePart(sums + j * NUMBER, sum, rest);
}

/** The sum over the rows of each member: [members, rows, width] to [members, 1, width]. */
export function sumOfRows(x: usize, sums: usize, members: usize, rows: usize, width: usize): void {
  memory.fill(sums, 0, members * width * NUMBER);
  for (let m: usize = 0; m < members; m += 1) {
    addRowSums(x + m * rows * width * NUMBER, sums + m * width * NUMBER, rows, width);
  }
}

/** out = x + row of the member, in every row. */
export function addToRows(x: usize, row: usize, out: usize, members: usize, rows: usize, width: usize): void {
  const whole = width - (width % LANES);
  const rest = width % LANES;
  for (let m: usize = 0; m < members; m += 1) {
    for (let i: usize = 0; i < rows; i += 1) {
      let j: usize = 0;
      for (; j < whole; j += LANES) {
        const at = j * NUMBER;
        v128.store(out + at, f32x4.add(v128.load(x + at), v128.load(row + at)));
      }
      const at = j * NUMBER;
      if (rest != 0) storePart(out + at, f32x4.add(loadPart(x + at, rest), loadPart(row + at, rest)), rest);
      x += width * NUMBER;
      out += width * NUMBER;
    }
    row += width * NUMBER;
  }
}
