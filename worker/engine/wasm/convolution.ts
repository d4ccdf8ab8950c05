/**
 * Convolutions and mean pooling of planes [K, C, B H W] (src/catalogue/architecture/convolution.ts), whose attributes `rows`,
 * `height` and `width` say how B H W divides.
 */
import type { NamedAttrMap } from "@tensorflow/tfjs-core";
import { activationKind, keepsSlope } from "./activation.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/convolution.ts and assembly/pooling.ts */
interface ConvolutionExports {
  convolveScratchBytes(channels: number, outputs: number, height: number, width: number, kernel: number): number;
  convolve(
    image: number,
    weight: number,
    bias: number,
    out: number,
    slope: number,
    members: number,
    rows: number,
    channels: number,
    outputs: number,
    height: number,
    width: number,
    kernel: number,
    kind: number,
    scratch: number,
  ): void;
  convolutionGradientScratchBytes(
    channels: number,
    outputs: number,
    height: number,
    width: number,
    kernel: number,
  ): number;
  convolutionGradient(
    image: number,
    weight: number,
    dy: number,
    kept: number,
    dImage: number,
    dWeight: number,
    dBias: number,
    members: number,
    rows: number,
    channels: number,
    outputs: number,
    height: number,
    width: number,
    kernel: number,
    kind: number,
    scratch: number,
  ): void;
  meanPool(image: number, out: number, images: number, height: number, width: number, pool: number): void;
  meanPoolGradient(dy: number, dImage: number, images: number, height: number, width: number, pool: number): void;
}

const exportsOf = (heap: WasmHeap): ConvolutionExports => heap.kernels.exports as unknown as ConvolutionExports;

function planeAttributes(attrs: NamedAttrMap) {
  return {
    rows: attrs["rows"] as number,
    height: attrs["height"] as number,
    width: attrs["width"] as number,
  };
}

/** image [K, C, B H W], weight [K, k k C, O], bias [K, O, 1]; puts out phi(y) [K, O, B H W] and, for gelu, its slope. */
const convolution: OwnKernel = (heap, { inputs, attrs }) => {
  const [image, weight, bias] = [inputs["image"]!, inputs["weight"]!, inputs["bias"]!];
  const { rows, height, width } = planeAttributes(attrs);
  const [kernel, kind] = [attrs["kernel"] as number, activationKind(attrs["activation"])];
  const [members, channels, numbers] = image.shape as [number, number, number];
  const outputs = bias.shape[1]!;
  const out = heap.output([members, outputs, numbers]);
  const slope = keepsSlope(kind) ? heap.output(out.shape) : undefined;
  const kernels = exportsOf(heap);
  const scratch = heap.scratch(kernels.convolveScratchBytes(channels, outputs, height, width, kernel));
  const [x, w, b, y] = [heap.at(image), heap.at(weight), heap.at(bias), heap.at(out)];
  const atSlope = slope === undefined ? 0 : heap.at(slope);
  kernels.convolve(x, w, b, y, atSlope, members, rows, channels, outputs, height, width, kernel, kind, scratch);
  return slope === undefined ? out : [out, slope];
};

/**
 * As above, with dy [K, O, B H W] and `kept`, phi(y) or its slope; puts out the gradients of weight, bias and, where
 * `inputGradient` asks for it, of the image.
 */
const convolutionGrad: OwnKernel = (heap, { inputs, attrs }) => {
  const [image, weight, dy, kept] = [inputs["image"]!, inputs["weight"]!, inputs["dy"]!, inputs["kept"]];
  const { rows, height, width } = planeAttributes(attrs);
  const [kernel, kind] = [attrs["kernel"] as number, activationKind(attrs["activation"])];
  const [members, channels] = image.shape as [number, number];
  const outputs = dy.shape[1]!;
  const dWeight = heap.output(weight.shape);
  const dBias = heap.output([members, outputs, 1]);
  const dImage = attrs["inputGradient"] === true ? heap.output(image.shape) : undefined;
  const kernels = exportsOf(heap);
  const scratch = heap.scratch(kernels.convolutionGradientScratchBytes(channels, outputs, height, width, kernel));
  kernels.convolutionGradient(
    heap.at(image),
    heap.at(weight),
    heap.at(dy),
    kept === undefined ? 0 : heap.at(kept),
    dImage === undefined ? 0 : heap.at(dImage),
    heap.at(dWeight),
    heap.at(dBias),
    members,
    rows,
    channels,
    outputs,
    height,
    width,
    kernel,
    kind,
    scratch,
  );
  return dImage === undefined ? [dWeight, dBias] : [dWeight, dBias, dImage];
};

/** image [K, C, B H W]; puts out [K, C, B H' W'] with H' = H / pool, rounded down. */
const meanPool: OwnKernel = (heap, { inputs, attrs }) => {
  const image = inputs["image"]!;
  const { rows, height, width } = planeAttributes(attrs);
  const pool = attrs["pool"] as number;
  const [members, channels] = image.shape as [number, number];
  const out = heap.output([members, channels, rows * Math.floor(height / pool) * Math.floor(width / pool)]);
  exportsOf(heap).meanPool(heap.at(image), heap.at(out), members * channels * rows, height, width, pool);
  return out;
};

/** dy [K, C, B H' W']; puts out [K, C, B H W]. */
const meanPoolGrad: OwnKernel = (heap, { inputs, attrs }) => {
  const dy = inputs["dy"]!;
  const { rows, height, width } = planeAttributes(attrs);
  const pool = attrs["pool"] as number;
  const [members, channels] = dy.shape as [number, number];
  const out = heap.output([members, channels, rows * height * width]);
  exportsOf(heap).meanPoolGradient(heap.at(dy), heap.at(out), members * channels * rows, height, width, pool);
  return out;
};

export const convolutionKernels: Readonly<Record<string, OwnKernel>> = {
  OccamConvolution: convolution,
  OccamConvolutionGrad: convolutionGrad,
  OccamMeanPool: meanPool,
  OccamMeanPoolGrad: meanPoolGrad,
};
