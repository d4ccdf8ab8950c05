/**
 * Layer normalisation and its gradients in one pass each: `OccamLayerNorm` and `OccamLayerNormGrad`
 * (src/catalogue/architecture/layer-norm.ts asks for them).
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/layer-norm.ts */
interface LayerNormExports {
  layerNormForward(
    x: number,
    gain: number,
    bias: number,
    y: number,
    normal: number,
    rate: number,
    members: number,
    rows: number,
    width: number,
    epsilon: number,
  ): void;
  layerNormGradient(
    dy: number,
    normal: number,
    rate: number,
    gain: number,
    dx: number,
    dGain: number,
    dBias: number,
    members: number,
    rows: number,
    width: number,
  ): void;
}

const exportsOf = (heap: WasmHeap): LayerNormExports => heap.kernels.exports as unknown as LayerNormExports;

/** [members, rows, width] of x, with a row [members, 1, width] that goes with it. */
function sizesOf(x: TensorInfo, row: TensorInfo): readonly [number, number, number] {
  const [members, rows, width] = x.shape as [number, number, number];
  const agree = x.shape.length === 3 && row.shape.join() === [members, 1, width].join();
  invariant(agree, `layer norm of x [${x.shape.join()}] with a row [${row.shape.join()}]`);
  return [members, rows, width];
}

/** y and x^ [members, rows, width], rate [members, rows, 1]. */
const layerNorm: OwnKernel = (heap, { inputs, attrs }) => {
  const [x, gain, bias] = [inputs["x"]!, inputs["gain"]!, inputs["bias"]!];
  const [members, rows, width] = sizesOf(x, gain);
  sizesOf(x, bias);
  const [y, normal, rate] = [heap.output(x.shape), heap.output(x.shape), heap.output([members, rows, 1])];
  const given = [heap.at(x), heap.at(gain), heap.at(bias)] as const;
  const made = [heap.at(y), heap.at(normal), heap.at(rate)] as const;
  exportsOf(heap).layerNormForward(...given, ...made, members, rows, width, attrs["epsilon"] as number);
  return [y, normal, rate];
};

const layerNormGrad: OwnKernel = (heap, { inputs }) => {
  const [dy, normal, rate, gain] = [inputs["dy"]!, inputs["normal"]!, inputs["rate"]!, inputs["gain"]!];
  const [members, rows, width] = sizesOf(dy, gain);
  const [dx, dGain, dBias] = [heap.output(dy.shape), heap.output(gain.shape), heap.output(gain.shape)];
  const given = [heap.at(dy), heap.at(normal), heap.at(rate), heap.at(gain)] as const;
  const made = [heap.at(dx), heap.at(dGain), heap.at(dBias)] as const;
  exportsOf(heap).layerNormGradient(...given, ...made, members, rows, width);
  return [dx, dGain, dBias];
};

export const layerNormKernels: Readonly<Record<string, OwnKernel>> = {
  OccamLayerNorm: layerNorm,
  OccamLayerNormGrad: layerNormGrad,
};
