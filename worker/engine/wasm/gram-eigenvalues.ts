/**
 * Eigenvalues of Gram matrices in double precision, on the host whatever the backend is: no backend but TensorFlow's has
 * float64. The kernels run in a memory of their own, which grows and stays; a very large matrix has one to itself.
 */
import { invariant } from "../../../src/core/errors.ts";
import { openKernels } from "./kernel-module.ts";

/** assembly/gram-eigenvalues.ts */
interface GramExports {
  gramAdd(x: number, gram: number, groups: number, inner: number, stride: number): void;
  symmetricEigenvalues(a: number, values: number, work: number, n: number, stride: number): number;
}

declare global {
  namespace WebAssembly {
    interface Memory {
      grow(pages: number): number;
    }
    const Memory: new (descriptor: { readonly initial: number }) => Memory;
  }
}

const PAGE_BYTES = 65_536;
const DOUBLE = 8;
/** Rows that are packed side by side. */
const TILE = 4;
/** Columns that are packed at once: four rows of them stay in a first-level cache while the others pass. */
const BLOCK_COLUMNS = 64;

/** A matrix of float32 by strides: element (i, j) at i rowStride + j columnStride. */
interface Matrix {
  readonly values: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Memory that is kept from one matrix to the next, at the most: some 2,800 rows. More would starve the programs beside it. */
const MOST_KEPT_BYTES = 2 ** 26;

interface OpenKernels {
  readonly memory: WebAssembly.Memory;
  readonly kernels: GramExports;
}

let kept: OpenKernels | undefined;

/**
 * Eigenvalues of X X^T or of X^T X, whichever is smaller, descending: min(rows, columns) numbers, each within some
 * n 2^-53 of the largest. NaN, all of them, where X has a number that is not finite.
 *
 * @param values X [rows x columns], row-major
 */
export function gramEigenvalues(values: Float32Array, rows: number, columns: number): Float64Array {
  invariant(values.length >= rows * columns, "X has rows x columns numbers");
  const ofRows = rows <= columns;
  const x = ofRows
    ? { values, rows, columns, rowStride: columns, columnStride: 1 }
    : { values, rows: columns, columns: rows, rowStride: 1, columnStride: columns };
  const n = x.rows;
  if (n === 0) return new Float64Array(0);
  const groups = Math.ceil(n / TILE);
  const stride = groups * TILE;
  // In doubles, one after the other: G, its eigenvalues, twice a work row, a packed block.
  const at = { gram: 0, values: stride * stride, work: stride * (stride + 1), block: stride * (stride + 4) };
  const { memory, kernels } = open((at.block + stride * BLOCK_COLUMNS) * DOUBLE);
  const doubles = new Float64Array(memory.buffer);
  doubles.fill(0, at.gram, at.values);
  for (let from = 0; from < x.columns; from += BLOCK_COLUMNS) {
    const count = Math.min(BLOCK_COLUMNS, x.columns - from);
    pack(x, from, count, doubles.subarray(at.block, at.block + stride * count));
    kernels.gramAdd(at.block * DOUBLE, at.gram * DOUBLE, groups, count, stride);
  }
  if (!isFiniteTrace(doubles, n, stride)) return new Float64Array(n).fill(Number.NaN);
  const moving = kernels.symmetricEigenvalues(at.gram * DOUBLE, at.values * DOUBLE, at.work * DOUBLE, n, stride);
  invariant(moving === 0, `${moving} of ${n} eigenvalues did not settle`);
  return doubles.slice(at.values, at.values + n).sort((a, b) => b - a);
}

function open(bytes: number): OpenKernels {
  if (bytes > MOST_KEPT_BYTES) return openWith(bytes);
  kept ??= openWith(bytes);
  const missing = bytes - kept.memory.buffer.byteLength;
  if (missing > 0) kept.memory.grow(Math.ceil(missing / PAGE_BYTES));
  return kept;
}

function openWith(bytes: number): OpenKernels {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
  return { memory, kernels: openKernels(memory).exports as unknown as GramExports };
}

/** Columns [from, from + count) by groups of four rows, each [count x 4]; rows past the last are zeros. */
function pack(x: Matrix, from: number, count: number, block: Float64Array): void {
  const { values, rows, rowStride, columnStride } = x;
  const padded = block.length / count;
  for (let row = 0; row < padded; row += 1) {
    let to = (row - (row % TILE)) * count + (row % TILE);
    let at = row * rowStride + from * columnStride;
    for (let column = 0; column < count; column += 1) {
      block[to] = row < rows ? values[at]! : 0;
      to += TILE;
      at += columnStride;
    }
  }
}

/** Every number of X stands in a square on the diagonal of its Gram matrix. */
function isFiniteTrace(gram: Float64Array, n: number, stride: number): boolean {
  for (let i = 0; i < n; i += 1) if (!Number.isFinite(gram[i * stride + i]!)) return false;
  return true;
}
