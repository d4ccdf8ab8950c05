/**
 * Rows by index: `GatherV2` along the first axis, `UnsortedSegmentSum` (its gradient; TensorFlow.js's wasm backend has none) and
 * `OneHot`, whose shipped kernel writes integers whatever dtype it is asked for.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../shape.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/gather.ts */
interface GatherExports {
  gatherRows(table: number, indices: number, out: number, count: number, rows: number, width: number): number;
  segmentSum(x: number, segments: number, out: number, rows: number, width: number, count: number): void;
  oneHotRows(indices: number, out: number, count: number, depth: number, on: number, off: number): void;
}

const exportsOf = (heap: WasmHeap): GatherExports => heap.kernels.exports as unknown as GatherExports;
const hasFourBytes = ({ dtype }: TensorInfo): boolean => dtype === "float32" || dtype === "int32";

const gatherV2: OwnKernel = (heap, { inputs, attrs }, shipped) => {
  const [x, indices] = [inputs["x"]!, inputs["indices"]!];
  const alongFirst = (attrs["axis"] ?? 0) === 0 && (attrs["batchDims"] ?? 0) === 0;
  if (!alongFirst || !hasFourBytes(x) || indices.dtype !== "int32") return shipped();
  const out = heap.output([...indices.shape, ...x.shape.slice(1)], x.dtype);
  const [rows, width, count] = [x.shape[0]!, sizeOf(x.shape.slice(1)), sizeOf(indices.shape)];
  const bad = exportsOf(heap).gatherRows(heap.at(x), heap.at(indices), heap.at(out), count, rows, width);
  if (bad >= 0)
    throw new Error(`gather: index ${bad} of ${count} is not among the ${rows} rows of [${x.shape.join()}]`);
  return out;
};

const unsortedSegmentSum: OwnKernel = (heap, { inputs, attrs }) => {
  const [x, segmentIds] = [inputs["x"]!, inputs["segmentIds"]!];
  if (x.dtype !== "float32" || segmentIds.dtype !== "int32") {
    throw new Error(`unsortedSegmentSum: takes float32 by int32, not ${x.dtype} by ${segmentIds.dtype}`);
  }
  const count = attrs["numSegments"] as number;
  const out = heap.output([count, ...x.shape.slice(1)]);
  const width = sizeOf(x.shape.slice(1));
  exportsOf(heap).segmentSum(heap.at(x), heap.at(segmentIds), heap.at(out), x.shape[0]!, width, count);
  return out;
};

const oneHot: OwnKernel = (heap, { inputs, attrs }, shipped) => {
  const indices = inputs["indices"]!;
  const { depth, onValue, offValue, dtype } = attrs as {
    depth: number;
    onValue: number;
    offValue: number;
    dtype: "float32";
  };
  if (dtype !== "float32") return shipped();
  const out = heap.output([...indices.shape, depth], dtype);
  exportsOf(heap).oneHotRows(heap.at(indices), heap.at(out), sizeOf(indices.shape), depth, onValue, offValue);
  return out;
};

export const gatherKernels: Readonly<Record<string, OwnKernel>> = {
  GatherV2: gatherV2,
  UnsortedSegmentSum: unsortedSegmentSum,
  OneHot: oneHot,
};
