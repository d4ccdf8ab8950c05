/**
 * `Softmax` over the last axis, and the cross-entropy of rows with its gradient, `OccamCrossEntropy` and
 * `OccamCrossEntropyGrad` (../row-loss.ts asks for them).
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import { sizeOf } from "../shape.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/softmax.ts */
interface SoftmaxExports {
  softmaxRows(z: number, p: number, rows: number, classes: number): void;
  crossEntropyRows(z: number, q: number, value: number, p: number, rows: number, classes: number): void;
  crossEntropyGradient(dy: number, p: number, q: number, dz: number, rows: number, classes: number): void;
}

const exportsOf = (heap: WasmHeap): SoftmaxExports => heap.kernels.exports as unknown as SoftmaxExports;

const softmax: OwnKernel = (heap, { inputs, attrs }, shipped) => {
  const z = inputs["logits"]!;
  if (z.dtype !== "float32" || attrs["dim"] !== z.shape.length - 1) return shipped();
  const p = heap.output(z.shape);
  const [rows, classes] = rowsOf(z);
  exportsOf(heap).softmaxRows(heap.at(z), heap.at(p), rows, classes);
  return p;
};

/** Values [...], probabilities [..., classes]. */
const crossEntropy: OwnKernel = (heap, { inputs }) => {
  const [z, q] = [inputs["logits"]!, inputs["targets"]!];
  expectSame(z, q);
  const value = heap.output(z.shape.slice(0, -1));
  const p = heap.output(z.shape);
  const [rows, classes] = rowsOf(z);
  exportsOf(heap).crossEntropyRows(heap.at(z), heap.at(q), heap.at(value), heap.at(p), rows, classes);
  return [value, p];
};

const crossEntropyGrad: OwnKernel = (heap, { inputs }) => {
  const [dy, p, q] = [inputs["dy"]!, inputs["probabilities"]!, inputs["targets"]!];
  expectSame(p, q);
  const dz = heap.output(p.shape);
  const [rows, classes] = rowsOf(p);
  invariant(sizeOf(dy.shape) === rows, `one gradient for each of ${rows} rows, not [${dy.shape.join()}]`);
  exportsOf(heap).crossEntropyGradient(heap.at(dy), heap.at(p), heap.at(q), heap.at(dz), rows, classes);
  return dz;
};

export function rowsOf({ shape }: TensorInfo): readonly [number, number] {
  return [sizeOf(shape.slice(0, -1)), shape.at(-1)!];
}

export function expectSame(a: TensorInfo, b: TensorInfo): void {
  const same = a.dtype === "float32" && b.dtype === "float32" && a.shape.join() === b.shape.join();
  invariant(same, `outputs and targets of one shape, not [${a.shape.join()}] and [${b.shape.join()}]`);
}

export const softmaxKernels: Readonly<Record<string, OwnKernel>> = {
  Softmax: softmax,
  OccamCrossEntropy: crossEntropy,
  OccamCrossEntropyGrad: crossEntropyGrad,
};
