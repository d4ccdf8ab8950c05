/**
 * Puts our kernels under TensorFlow.js's names on its wasm backend, so that every operation that asks for one gets ours, and
 * adds those that it does not have, under names that begin with "Occam" (`src/catalogue/own-kernel.ts` asks for them).
 */
import type { KernelFunc, NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { WasmHeap } from "./heap.ts";

export interface KernelCall {
  readonly inputs: NamedTensorInfoMap;
  readonly attrs: NamedAttrMap;
}

type Outputs = TensorInfo | TensorInfo[];

/**
 * A kernel: new tensors from inputs, which it leaves as they are. `shipped` is TensorFlow.js's own of that name on the same
 * call, for the dtypes and forms that ours does not take; it throws where there is none.
 */
export type OwnKernel = (heap: WasmHeap, call: KernelCall, shipped: () => Outputs) => Outputs;

/** Registers kernels by name and gives back what undoes it. */
export function registerKernels(tf: Tf, heap: WasmHeap, kernels: Readonly<Record<string, OwnKernel>>): () => void {
  const undo = Object.entries(kernels).map(([kernelName, kernel]) => {
    const shipped = tf.getKernel(kernelName, "wasm");
    const hasShipped = shipped !== undefined && shipped !== null;
    if (hasShipped) tf.unregisterKernel(kernelName, "wasm");
    const kernelFunc: KernelFunc = ({ inputs, attrs = {}, backend }) =>
      kernel(heap, { inputs, attrs }, () => {
        if (!hasShipped) throw new Error(`wasm: ${kernelName} takes no ${shapesOf(inputs)}`);
        return shipped.kernelFunc({ inputs, attrs, backend });
      });
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
    return () => {
      tf.unregisterKernel(kernelName, "wasm");
      if (hasShipped) tf.registerKernel(shipped);
    };
  });
  return () => undo.forEach((each) => each());
}

function shapesOf(inputs: NamedTensorInfoMap): string {
  return Object.entries(inputs)
    .map(([name, tensor]) => `${name} ${tensor!.dtype}[${tensor!.shape.join()}]`)
    .join(", ");
}
