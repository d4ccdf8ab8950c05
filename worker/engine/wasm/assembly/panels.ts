/**
 * The right-hand matrix of a product, packed for its tiles: panels of eight columns, each [inner x 8], and for what is left over
 * panels of four, [inner x 4], with zeros behind the last column. Strides are in numbers, addresses in bytes.
 */
import { LANES, NUMBER, VECTOR } from "./simd";

/** Columns of a full tile. */
export const WIDE: usize = 8;

/** Packs the columns from `from` on, each panel at its first column times `inner`. */
export function packPanels(
  b: usize,
  scratch: usize,
  columns: usize,
  inner: usize,
  bInner: usize,
  bColumn: usize,
  from: usize,
): void {
  const full = columns - (columns % WIDE);
  let j = from;
  for (; j < full; j += WIDE) {
    packPanel(b + j * bColumn * NUMBER, scratch + j * inner * NUMBER, inner, bInner, bColumn, WIDE, WIDE);
  }
  for (; j < columns; j += LANES) {
    const count = min<usize>(LANES, columns - j);
    packPanel(b + j * bColumn * NUMBER, scratch + j * inner * NUMBER, inner, bInner, bColumn, count, LANES);
  }
}

/** Copies `count` columns of B to [inner x width], zeros behind them. */
function packPanel(
  b: usize,
  to: usize,
  inner: usize,
  bInner: usize,
  bColumn: usize,
  count: usize,
  width: usize,
): void {
  if (count == WIDE && bInner == 1) return transposePanel(b, to, inner, bColumn);
  if (count == WIDE && bColumn == 1) return copyPanel(b, to, inner, bInner);
  for (let k: usize = 0; k < inner; k += 1) {
    let from = b + k * bInner * NUMBER;
    const row = to + k * width * NUMBER;
    let j: usize = 0;
    for (; j < count; j += 1) {
      store<f32>(row + j * NUMBER, load<f32>(from));
      from += bColumn * NUMBER;
    }
    for (; j < width; j += 1) store<f32>(row + j * NUMBER, 0);
  }
}

/** Eight adjacent columns to [inner x 8]. */
function copyPanel(b: usize, to: usize, inner: usize, bInner: usize): void {
  for (let k: usize = 0; k < inner; k += 1) {
    v128.store(to, v128.load(b));
    v128.store(to, v128.load(b, VECTOR), VECTOR);
    b += bInner * NUMBER;
    to += WIDE * NUMBER;
  }
}

/** Eight rows of `inner` adjacent numbers to [inner x 8], in blocks of four by four. */
function transposePanel(b: usize, to: usize, inner: usize, bColumn: usize): void {
  const blocks = inner - (inner % LANES);
  const stride = bColumn * NUMBER;
  for (let half: usize = 0; half < 2; half += 1) {
    const from = b + half * LANES * stride;
    const target = to + half * VECTOR;
    for (let k: usize = 0; k < blocks; k += LANES) {
      transposeBlock(from + k * NUMBER, stride, target + k * WIDE * NUMBER);
    }
    for (let k = blocks; k < inner; k += 1) {
      for (let j: usize = 0; j < LANES; j += 1) {
        store<f32>(target + (k * WIDE + j) * NUMBER, load<f32>(from + j * stride + k * NUMBER));
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function transposeBlock(from: usize, stride: usize, to: usize): void {
  const r0 = v128.load(from);
  const r1 = v128.load(from + stride);
  const r2 = v128.load(from + 2 * stride);
  const r3 = v128.load(from + 3 * stride);
  const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  const row = WIDE * NUMBER;
  v128.store(to, v128.shuffle<f32>(low01, low23, 0, 1, 4, 5));
  v128.store(to + row, v128.shuffle<f32>(low01, low23, 2, 3, 6, 7));
  v128.store(to + 2 * row, v128.shuffle<f32>(high01, high23, 0, 1, 4, 5));
  v128.store(to + 3 * row, v128.shuffle<f32>(high01, high23, 2, 3, 6, 7));
}
