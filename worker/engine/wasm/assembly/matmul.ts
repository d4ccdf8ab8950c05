/**
 * The matrix product C = A B, or C += A B, over any strides: c[i, j] = sum over k of a[i, k] b[k, j], added up one k after the
 * other from the first, whatever the shape and the place in it. So an element's bits depend on its row of A and its column of
 * B alone, and a product is the same alone or in a batch.
 *
 * Tiles of four rows by eight columns are kept in registers. B's rows are read where they lie when its columns are adjacent,
 * else from a packed copy; columns past the last full tile are packed with zeros behind them.
 *
 * All strides are in numbers, addresses in bytes. C's columns are adjacent.
 */
import { WIDE, packPanels } from "./panels";
import { LANES, NUMBER, VECTOR, loadPart, multiplyAdd, storePart } from "./simd";

/** Rows of a full tile. */
const TALL: usize = 4;
/** B of more bytes than this does not stay in a first-level cache: with rows enough to pay for it, its panels are packed. */
const CACHED_BYTES: usize = 1 << 14;
const ROWS_THAT_PAY: usize = 32;

/** Bytes of scratch that a product needs. */
export function matmulScratchBytes(columns: usize, inner: usize): usize {
  return inner * (columns + WIDE) * NUMBER;
}

/**
 * @param a [rows x inner], element (i, k) at i aRow + k aInner
 * @param b [inner x columns], element (k, j) at k bInner + j bColumn
 * @param c [rows x columns], element (i, j) at i cRow + j
 * @param scratch matmulScratchBytes(columns, inner)
 */
export function multiply(
  a: usize,
  b: usize,
  c: usize,
  rows: usize,
  columns: usize,
  inner: usize,
  aRow: usize,
  aInner: usize,
  bInner: usize,
  bColumn: usize,
  cRow: usize,
  accumulate: bool,
  scratch: usize,
): void {
  const full = columns - (columns % WIDE);
  const direct = bColumn == 1 && (rows < ROWS_THAT_PAY || inner * bInner * NUMBER <= CACHED_BYTES);
  packPanels(b, scratch, columns, inner, bInner, bColumn, direct ? full : 0);
  const block = rowsOfBlock(inner);
  for (let i: usize = 0; i < rows; i += block) {
    const count = min<usize>(block, rows - i);
    const aBlock = a + i * aRow * NUMBER;
    const cBlock = c + i * cRow * NUMBER;
    let j: usize = 0;
    for (; j < full; j += WIDE) {
      const panel = direct ? b + j * NUMBER : scratch + j * inner * NUMBER;
      const step = direct ? bInner : WIDE;
      widePanel(aBlock, panel, cBlock + j * NUMBER, count, inner, aRow, aInner, step, cRow, accumulate);
    }
    for (; j < columns; j += LANES) {
      const part = min<usize>(LANES, columns - j);
      const panel = scratch + j * inner * NUMBER;
      narrowPanel(aBlock, panel, cBlock + j * NUMBER, count, inner, aRow, aInner, cRow, part, accumulate);
    }
  }
}

/** Rows of A that stay in the cache while all panels of B pass. */
// @ts-ignore: decorator
@inline
function rowsOfBlock(inner: usize): usize {
  const rows = CACHED_BYTES / (max<usize>(inner, 1) * NUMBER);
  return max<usize>(TALL, rows - (rows % TALL));
}

/** All rows of A by one panel of eight columns. */
function widePanel(
  a: usize,
  b: usize,
  c: usize,
  rows: usize,
  inner: usize,
  aRow: usize,
  aInner: usize,
  bInner: usize,
  cRow: usize,
  accumulate: bool,
): void {
  const full = rows - (rows % TALL);
  let i: usize = 0;
  for (; i < full; i += TALL) {
    tile4x8(a + i * aRow * NUMBER, b, c + i * cRow * NUMBER, inner, aRow, aInner, bInner, cRow, accumulate);
  }
  for (; i < rows; i += 1) {
    tile1x8(a + i * aRow * NUMBER, b, c + i * cRow * NUMBER, inner, aInner, bInner, accumulate);
  }
}

function tile4x8(
  a: usize,
  b: usize,
  c: usize,
  inner: usize,
  aRow: usize,
  aInner: usize,
  bInner: usize,
  cRow: usize,
  accumulate: bool,
): void {
  let a0 = a;
  let a1 = a0 + aRow * NUMBER;
  let a2 = a1 + aRow * NUMBER;
  let a3 = a2 + aRow * NUMBER;
  const c1 = c + cRow * NUMBER;
  const c2 = c1 + cRow * NUMBER;
  const c3 = c2 + cRow * NUMBER;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  if (accumulate) {
    s00 = v128.load(c);
    s01 = v128.load(c, VECTOR);
    s10 = v128.load(c1);
    s11 = v128.load(c1, VECTOR);
    s20 = v128.load(c2);
    s21 = v128.load(c2, VECTOR);
    s30 = v128.load(c3);
    s31 = v128.load(c3, VECTOR);
  }
  const aStep = aInner * NUMBER;
  const bStep = bInner * NUMBER;
  const end = b + inner * bStep;
  for (; b < end; b += bStep) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, VECTOR);
    const x0 = v128.load32_splat(a0);
    s00 = multiplyAdd(x0, b0, s00);
    s01 = multiplyAdd(x0, b1, s01);
    const x1 = v128.load32_splat(a1);
    s10 = multiplyAdd(x1, b0, s10);
    s11 = multiplyAdd(x1, b1, s11);
    const x2 = v128.load32_splat(a2);
    s20 = multiplyAdd(x2, b0, s20);
    s21 = multiplyAdd(x2, b1, s21);
    const x3 = v128.load32_splat(a3);
    s30 = multiplyAdd(x3, b0, s30);
    s31 = multiplyAdd(x3, b1, s31);
    a0 += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
  }
  v128.store(c, s00);
  v128.store(c, s01, VECTOR);
  v128.store(c1, s10);
  v128.store(c1, s11, VECTOR);
  v128.store(c2, s20);
  v128.store(c2, s21, VECTOR);
  v128.store(c3, s30);
  v128.store(c3, s31, VECTOR);
}

function tile1x8(
  a: usize,
  b: usize,
  c: usize,
  inner: usize,
  aInner: usize,
  bInner: usize,
  accumulate: bool,
): void {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  if (accumulate) {
    s0 = v128.load(c);
    s1 = v128.load(c, VECTOR);
  }
  const bStep = bInner * NUMBER;
  const end = b + inner * bStep;
  for (; b < end; b += bStep) {
    const x = v128.load32_splat(a);
    s0 = multiplyAdd(x, v128.load(b), s0);
    s1 = multiplyAdd(x, v128.load(b, VECTOR), s1);
    a += aInner * NUMBER;
  }
  v128.store(c, s0);
  v128.store(c, s1, VECTOR);
}

/** All rows of A by `count` columns (1 to 4) of a packed panel of four. */
function narrowPanel(
  a: usize,
  b: usize,
  c: usize,
  rows: usize,
  inner: usize,
  aRow: usize,
  aInner: usize,
  cRow: usize,
  count: usize,
  accumulate: bool,
): void {
  const full = rows - (rows % TALL);
  let i: usize = 0;
  for (; i < full; i += TALL) {
    tile4x4(a + i * aRow * NUMBER, b, c + i * cRow * NUMBER, inner, aRow, aInner, cRow, count, accumulate);
  }
  for (; i < rows; i += 1) {
    tile1x4(a + i * aRow * NUMBER, b, c + i * cRow * NUMBER, inner, aInner, count, accumulate);
  }
}

function tile4x4(
  a: usize,
  b: usize,
  c: usize,
  inner: usize,
  aRow: usize,
  aInner: usize,
  cRow: usize,
  count: usize,
  accumulate: bool,
): void {
  let a0 = a;
  let a1 = a0 + aRow * NUMBER;
  let a2 = a1 + aRow * NUMBER;
  let a3 = a2 + aRow * NUMBER;
  const c1 = c + cRow * NUMBER;
  const c2 = c1 + cRow * NUMBER;
  const c3 = c2 + cRow * NUMBER;
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  if (accumulate) {
    s0 = loadUpTo4(c, count);
    s1 = loadUpTo4(c1, count);
    s2 = loadUpTo4(c2, count);
    s3 = loadUpTo4(c3, count);
  }
  const aStep = aInner * NUMBER;
  const end = b + inner * VECTOR;
  for (; b < end; b += VECTOR) {
    const row = v128.load(b);
    s0 = multiplyAdd(v128.load32_splat(a0), row, s0);
    s1 = multiplyAdd(v128.load32_splat(a1), row, s1);
    s2 = multiplyAdd(v128.load32_splat(a2), row, s2);
    s3 = multiplyAdd(v128.load32_splat(a3), row, s3);
    a0 += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
  }
  storeUpTo4(c, s0, count);
  storeUpTo4(c1, s1, count);
  storeUpTo4(c2, s2, count);
  storeUpTo4(c3, s3, count);
}

function tile1x4(a: usize, b: usize, c: usize, inner: usize, aInner: usize, count: usize, accumulate: bool): void {
  let sum = accumulate ? loadUpTo4(c, count) : f32x4.splat(0);
  const end = b + inner * VECTOR;
  for (; b < end; b += VECTOR) {
    sum = multiplyAdd(v128.load32_splat(a), v128.load(b), sum);
    a += aInner * NUMBER;
  }
  storeUpTo4(c, sum, count);
}

// @ts-ignore: decorator
@inline
function loadUpTo4(address: usize, count: usize): v128 {
  return count == LANES ? v128.load(address) : loadPart(address, count);
}

// @ts-ignore: decorator
@inline
function storeUpTo4(address: usize, value: v128, count: usize): void {
  if (count == LANES) v128.store(address, value);
  else storePart(address, value, count);
}

/** `batch` products; a batch stride of 0 uses one matrix for all. */
export function batchMatmul(
  a: usize,
  b: usize,
  c: usize,
  batch: usize,
  rows: usize,
  columns: usize,
  inner: usize,
  aBatch: usize,
  bBatch: usize,
  aRow: usize,
  aInner: usize,
  bInner: usize,
  bColumn: usize,
  scratch: usize,
): void {
  for (let m: usize = 0; m < batch; m += 1) {
    const product = c + m * rows * columns * NUMBER;
    multiply(
      a + m * aBatch * NUMBER,
      b + m * bBatch * NUMBER,
      product,
      rows,
      columns,
      inner,
      aRow,
      aInner,
      bInner,
      bColumn,
      columns,
      false,
      scratch,
    );
  }
}
