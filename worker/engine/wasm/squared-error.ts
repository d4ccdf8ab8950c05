/** Half the squared error of rows and its gradient, `OccamSquaredError` and `OccamSquaredErrorGrad` (../row-loss.ts). */
import { invariant } from "../../../src/core/errors.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";
import { expectSame, rowsOf } from "./softmax.ts";

/** assembly/squared-error.ts */
interface SquaredErrorExports {
  squaredErrorRows(f: number, y: number, value: number, rows: number, width: number): void;
  squaredErrorGradient(dy: number, f: number, y: number, df: number, rows: number, width: number): void;
}

const exportsOf = (heap: WasmHeap): SquaredErrorExports => heap.kernels.exports as unknown as SquaredErrorExports;

const squaredError: OwnKernel = (heap, { inputs }) => {
  const [f, y] = [inputs["outputs"]!, inputs["targets"]!];
  expectSame(f, y);
  const value = heap.output(f.shape.slice(0, -1));
  exportsOf(heap).squaredErrorRows(heap.at(f), heap.at(y), heap.at(value), ...rowsOf(f));
  return value;
};

const squaredErrorGrad: OwnKernel = (heap, { inputs }) => {
  const [dy, f, y] = [inputs["dy"]!, inputs["outputs"]!, inputs["targets"]!];
  expectSame(f, y);
  const df = heap.output(f.shape);
  const [rows, width] = rowsOf(f);
  invariant(rowsOf(dy).reduce((a, b) => a * b) === rows, `one gradient for each of ${rows} rows`);
  exportsOf(heap).squaredErrorGradient(heap.at(dy), heap.at(f), heap.at(y), heap.at(df), rows, width);
  return df;
};

export const squaredErrorKernels: Readonly<Record<string, OwnKernel>> = {
  OccamSquaredError: squaredError,
  OccamSquaredErrorGrad: squaredErrorGrad,
};
