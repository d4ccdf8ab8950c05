/** Causal self-attention between the projections (src/catalogue/architecture/attention.ts). */
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/attention.ts */
interface AttentionExports {
  attentionPitch(context: number): number;
  attentionScratchBytes(context: number, size: number): number;
  attend(
    qkv: number,
    probabilities: number,
    out: number,
    rows: number,
    context: number,
    heads: number,
    size: number,
    scratch: number,
  ): void;
  attendGradient(
    qkv: number,
    probabilities: number,
    dy: number,
    dQkv: number,
    rows: number,
    context: number,
    heads: number,
    size: number,
    scratch: number,
  ): void;
}

const exportsOf = (heap: WasmHeap): AttentionExports => heap.kernels.exports as unknown as AttentionExports;

/** qkv [K, B T, 3 D]; puts out [K, B T, D] and the probabilities [K B heads, pitch, pitch] that the gradient reads. */
const attention: OwnKernel = (heap, { inputs, attrs }) => {
  const qkv = inputs["qkv"]!;
  const [context, heads] = [attrs["context"] as number, attrs["heads"] as number];
  const [members, positions, tripled] = qkv.shape as [number, number, number];
  const [rows, size] = [(members * positions) / context, tripled / 3 / heads];
  const kernels = exportsOf(heap);
  const out = heap.output([members, positions, tripled / 3]);
  const pitch = kernels.attentionPitch(context);
  const probabilities = heap.output([rows * heads, pitch, pitch]);
  const scratch = heap.scratch(kernels.attentionScratchBytes(context, size));
  kernels.attend(heap.at(qkv), heap.at(probabilities), heap.at(out), rows, context, heads, size, scratch);
  return [out, probabilities];
};

/** qkv and probabilities as above, dy [K, B T, D]; puts out the gradient of qkv. */
const attentionGrad: OwnKernel = (heap, { inputs, attrs }) => {
  const [qkv, probabilities, dy] = [inputs["qkv"]!, inputs["probabilities"]!, inputs["dy"]!];
  const [context, heads] = [attrs["context"] as number, attrs["heads"] as number];
  const [members, positions, tripled] = qkv.shape as [number, number, number];
  const [rows, size] = [(members * positions) / context, tripled / 3 / heads];
  const kernels = exportsOf(heap);
  const out = heap.output(qkv.shape);
  const scratch = heap.scratch(kernels.attentionScratchBytes(context, size));
  const [x, p, d, dx] = [heap.at(qkv), heap.at(probabilities), heap.at(dy), heap.at(out)];
  kernels.attendGradient(x, p, d, dx, rows, context, heads, size, scratch);
  return out;
};

export const attentionKernels: Readonly<Record<string, OwnKernel>> = {
  OccamAttention: attention,
  OccamAttentionGrad: attentionGrad,
};
