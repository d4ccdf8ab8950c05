/** Batched matrix products: `BatchMatMul` in all four transpose forms, batches broadcast as TensorFlow does. */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../shape.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/matmul.ts */
interface MatmulExports {
  matmulScratchBytes(columns: number, inner: number): number;
  batchMatmul(
    a: number,
    b: number,
    c: number,
    batch: number,
    rows: number,
    columns: number,
    inner: number,
    aBatch: number,
    bBatch: number,
    aRow: number,
    aInner: number,
    bInner: number,
    bColumn: number,
    scratch: number,
  ): void;
}

const batchMatMul: OwnKernel = (heap, { inputs, attrs }) => {
  const [a, b] = [inputs["a"]!, inputs["b"]!];
  return product(heap, a, b, attrs["transposeA"] === true, attrs["transposeB"] === true);
};

/** a b, over the last two axes of both. */
function product(heap: WasmHeap, a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean): TensorInfo {
  const [rows, inner] = lastTwo(a.shape, transposeA);
  const [innerB, columns] = lastTwo(b.shape, transposeB);
  if (inner !== innerB) {
    throw new Error(`matMul: [${a.shape.join()}] by [${b.shape.join()}] do not agree: ${inner} is not ${innerB}`);
  }
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = broadcastShape(batchA, batchB);
  const out = heap.output([...batch, rows, columns]);
  const kernels = heap.kernels.exports as unknown as MatmulExports;
  const [aRow, aInner] = transposeA ? [1, rows] : [inner, 1];
  const [bInner, bColumn] = transposeB ? [1, inner] : [columns, 1];
  const [sizeA, sizeB] = [rows * inner, inner * columns];
  // A product of one column is computed as its transpose, one row: the same sums, in vectors.
  const isColumn = columns === 1;
  const scratch = heap.scratch(kernels.matmulScratchBytes(isColumn ? rows : columns, inner));
  const run = (atA: number, atB: number, atC: number, count: number, stepA: number, stepB: number): void => {
    if (isColumn) {
      kernels.batchMatmul(atB, atA, atC, count, 1, rows, inner, stepB, stepA, 0, bInner, aInner, aRow, scratch);
      return;
    }
    kernels.batchMatmul(atA, atB, atC, count, rows, columns, inner, stepA, stepB, aRow, aInner, bInner, bColumn, scratch); // prettier-ignore
  };
  const [fromA, fromB, to] = [heap.at(a), heap.at(b), heap.at(out)];
  const [countA, countB, count] = [sizeOf(batchA), sizeOf(batchB), sizeOf(batch)];
  if ((countA === count || countA === 1) && (countB === count || countB === 1)) {
    run(fromA, fromB, to, count, countA === 1 ? 0 : sizeA, countB === 1 ? 0 : sizeB);
    return out;
  }
  const [indexA, indexB] = [broadcastIndices(batchA, batch), broadcastIndices(batchB, batch)];
  for (let i = 0; i < count; i += 1) {
    run(fromA + 4 * indexA[i]! * sizeA, fromB + 4 * indexB[i]! * sizeB, to + 4 * i * rows * columns, 1, 0, 0);
  }
  return out;
}

function lastTwo(shape: readonly number[], transpose: boolean): readonly [number, number] {
  const [rows, columns] = [shape.at(-2)!, shape.at(-1)!];
  return transpose ? [columns, rows] : [rows, columns];
}

/** The shape that both broadcast to. */
function broadcastShape(a: readonly number[], b: readonly number[]): readonly number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a[a.length - rank + axis] ?? 1, b[b.length - rank + axis] ?? 1];
    if (x !== y && x !== 1 && y !== 1)
      throw new Error(`matMul: batches [${a.join()}] and [${b.join()}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** For each element of `to`, in order, the element of `from` that stands there. */
function broadcastIndices(from: readonly number[], to: readonly number[]): readonly number[] {
  let indices = [0];
  const offset = to.length - from.length;
  to.forEach((length, axis) => {
    const own = from[axis - offset] ?? 1;
    indices = indices.flatMap((index) => Array.from({ length }, (_, i) => index * own + (own === 1 ? 0 : i)));
  });
  return indices;
}

export const matmulKernels: Readonly<Record<string, OwnKernel>> = { BatchMatMul: batchMatMul };
