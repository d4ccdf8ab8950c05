/** Our kernels on the webgpu backend, under the names and with the inputs, outputs and attributes of those on wasm. */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { OwnPrograms } from "./own-program.ts";
import { activationKernels } from "./activation.ts";
import { denseKernels } from "./dense.ts";
import { langevinKernels } from "./langevin.ts";
import { leapfrogKernels } from "./leapfrog.ts";
import { optimizerKernels } from "./optimizer.ts";
import { readingKernels } from "./reading.ts";
import { rowLossKernels } from "./row-loss.ts";

export interface KernelCall {
  readonly inputs: NamedTensorInfoMap;
  readonly attrs: NamedAttrMap;
}

/** New tensors from inputs, which it leaves as they are. */
export interface OwnKernel {
  /** Storage buffers that its largest program binds; where the device takes fewer, the plain operations run. */
  readonly bindings: number;
  run(programs: OwnPrograms, call: KernelCall): TensorInfo | TensorInfo[];
}

const KERNELS: Readonly<Record<string, OwnKernel>> = {
  ...optimizerKernels,
  ...langevinKernels,
  ...readingKernels,
  ...leapfrogKernels,
  ...activationKernels,
  ...denseKernels,
  ...rowLossKernels,
};

export function registerOwnKernels(tf: Tf, programs: OwnPrograms): void {
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    if (kernel.bindings > programs.mostBindings) continue;
    if ((tf.getKernel(kernelName, "webgpu") as unknown) !== undefined) tf.unregisterKernel(kernelName, "webgpu");
    tf.registerKernel({
      kernelName,
      backendName: "webgpu",
      kernelFunc: ({ inputs, attrs = {} }) => programs.attempt(() => kernel.run(programs, { inputs, attrs })),
    });
  }
}
