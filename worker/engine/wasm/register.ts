/**
 * Puts our kernels under TensorFlow.js's names on its wasm backend, so that every operation that asks for one gets ours, and
 * adds those that it does not have, under names that begin with "Occam" (`src/catalogue/own-kernel.ts` asks for them).
 */
import type { KernelFunc, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { WasmHeap } from "./heap.ts";

export interface KernelInputs {
  readonly inputs: NamedTensorInfoMap;
  readonly attrs: NamedAttrMap;
}

/** A kernel: new tensors from inputs, which it leaves as they are. */
export type OwnKernel = (heap: WasmHeap, call: KernelInputs) => TensorInfo | TensorInfo[];

/** Registers kernels by name and gives back what undoes it. */
export function registerKernels(tf: Tf, heap: WasmHeap, kernels: Readonly<Record<string, OwnKernel>>): () => void {
  const undo = Object.entries(kernels).map(([kernelName, kernel]) => {
    const shipped = tf.getKernel(kernelName, "wasm");
    if (shipped !== undefined && shipped !== null) tf.unregisterKernel(kernelName, "wasm");
    const kernelFunc: KernelFunc = ({ inputs, attrs }) => kernel(heap, { inputs, attrs: attrs ?? {} });
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
    return () => {
      tf.unregisterKernel(kernelName, "wasm");
      if (shipped !== undefined && shipped !== null) tf.registerKernel(shipped);
    };
  });
  return () => undo.forEach((each) => each());
}
