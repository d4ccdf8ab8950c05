/**
 * Sums: `Sum` and `Mean` of float32 over neighbouring axes, where TensorFlow.js's own transpose for all but the last axes and
 * leave the sum over an empty axis unset, and "OccamHits", for each member the number of rows that are classified right.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../shape.ts";
import type { WasmHeap } from "./heap.ts";
import type { KernelCall, OwnKernel } from "./register.ts";

/** assembly/reduction.ts */
interface ReductionExports {
  sumAdjacent(x: number, out: number, rows: number, length: number, divisor: number): void;
  sumRows(x: number, out: number, blocks: number, length: number, width: number, divisor: number): void;
  countHits(a: number, b: number, out: number, members: number, rows: number, width: number): void;
}

const exportsOf = (heap: WasmHeap): ReductionExports => heap.kernels.exports as unknown as ReductionExports;

const sum: OwnKernel = (heap, call, shipped) => reduced(heap, call, () => 1) ?? shipped();
const mean: OwnKernel = (heap, call, shipped) => reduced(heap, call, (length) => length) ?? shipped();

/** Undefined: not of a form that ours takes. */
function reduced(
  heap: WasmHeap,
  { inputs, attrs }: KernelCall,
  divisorOf: (length: number) => number,
): TensorInfo | undefined {
  const x = inputs["x"]!;
  const axes = axesOf(x.shape.length, attrs["axis"] as number | readonly number[] | null | undefined);
  const [first, last] = [Math.min(...axes), Math.max(...axes)];
  if (x.dtype !== "float32" || axes.size === 0 || last - first + 1 !== axes.size) return undefined;
  const kept = x.shape.flatMap((length, axis) => (!axes.has(axis) ? [length] : attrs["keepDims"] === true ? [1] : []));
  const out = heap.output(kept);
  const blocks = sizeOf(x.shape.slice(0, first));
  const length = sizeOf(x.shape.slice(first, last + 1));
  const width = sizeOf(x.shape.slice(last + 1));
  const [from, to] = [heap.at(x), heap.at(out)];
  if (width === 1) exportsOf(heap).sumAdjacent(from, to, blocks, length, divisorOf(length));
  else exportsOf(heap).sumRows(from, to, blocks, length, width, divisorOf(length));
  return out;
}

/** Axes from 0; no `axis` is all of them. */
function axesOf(rank: number, axis: number | readonly number[] | null | undefined): ReadonlySet<number> {
  const every = Array.from({ length: rank }, (_, i) => i);
  const given = axis === null || axis === undefined ? every : typeof axis === "number" ? [axis] : axis;
  return new Set(given.map((each) => (each < 0 ? each + rank : each)));
}

/** a, b [K, rows, width] to [K]. */
const hits: OwnKernel = (heap, { inputs }) => {
  const [a, b] = [inputs["a"]!, inputs["b"]!];
  const [members, rows, width] = a.shape as [number, number, number];
  const out = heap.output([members]);
  exportsOf(heap).countHits(heap.at(a), heap.at(b), heap.at(out), members, rows, width);
  return out;
};

export const reductionKernels: Readonly<Record<string, OwnKernel>> = { Sum: sum, Mean: mean, OccamHits: hits };
