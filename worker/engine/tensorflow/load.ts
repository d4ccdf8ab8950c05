/**
 * The TensorFlow C library through `@tensorflow/tfjs-node` (CPU) and `@tensorflow/tfjs-node-gpu` (NVIDIA GPUs), which are one
 * addon over two builds of the library.
 *
 * OCCAM_TFJS_NODE names the folder of a tfjs-node package that stands in for both: `deploy/tensorflow/build-addon.sh` makes
 * one over a current library. Whether it computes on a GPU is asked of the library, never taken from a package's name.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { OccamError } from "../../../src/core/errors.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { LoadedBackend } from "../loaded-backend.ts";
import { deviceBudgetBytes, hostBudgetBytes } from "../memory-budget.ts";
import { processor } from "../processor.ts";
import { nativeBackend } from "./native-backend.ts";
import { tensorflowNoise } from "./noise.ts";
import { packageFolder, type NativeName } from "./package-folder.ts";

/** What the native packages add to the core module. */
type NativeTf = Tf & { readonly version: { readonly "tfjs-core": string } };

const require = createRequire(import.meta.url);

export async function loadTensorflow(name: NativeName): Promise<LoadedBackend> {
  const folder = packageFolder(name);
  for (const [name, value] of Object.entries(LIBRARY_DEFAULTS)) process.env[name] ??= value;
  restoreUtil();
  // Before the package registers its kernels: a second one in this process would warn of every one of them.
  (createRequire(join(folder, "package.json"))("@tensorflow/tfjs-core") as Tf).enableProdMode();
  const tf = require(folder) as NativeTf;
  await tf.setBackend("tensorflow");
  await tf.ready();
  const { isUsingGpuDevice: onGpu, binding } = nativeBackend(tf);
  const library = `TensorFlow ${binding.TF_Version}`;
  if (name === "tensorflow-gpu" && !onGpu) {
    throw new OccamError("unsupported", `backend tensorflow-gpu: ${library} loaded, but it sees no usable GPU`, {
      hint: "check nvidia-smi, that the library was built with CUDA, and that CUDA and cuDNN are on the library path",
    });
  }
  return {
    tf,
    name,
    device: onGpu ? `${library} on an NVIDIA GPU` : `${library} on ${processor()}`,
    version: tf.version["tfjs-core"],
    memoryBudgetBytes: onGpu ? deviceBudgetBytes() : hostBudgetBytes(),
    noise: tensorflowNoise(tf),
  };
}

/** What the library reads once, when it loads; a user's own values stand. */
const LIBRARY_DEFAULTS: Readonly<Record<string, string>> = {
  // Warnings and worse: at 0 it tells of each instruction set that it was not built for.
  TF_CPP_MIN_LOG_LEVEL: "1",
  // Its kernels serve none of our batched products (measured: no difference), and it prints two lines at every start.
  TF_ENABLE_ONEDNN_OPTS: "0",
  // Else it takes all of the GPU's memory, and a doctor beside a worker fails.
  TF_FORCE_GPU_ALLOW_GROWTH: "true",
  // Else products of float32 have the 10 bits of TF32 on Ampere and later: errors of 1e-3 in every loss and gradient.
  NVIDIA_TF32_OVERRIDE: "0",
};

/**
 * Two functions of node:util that tfjs-node 4.22.0 calls: Node 23 has removed the one, and each version warns of what it
 * still has.
 */
function restoreUtil(): void {
  const util = require("node:util") as { isNullOrUndefined?: unknown; isArray?: unknown };
  util.isNullOrUndefined = (value: unknown): boolean => value === null || value === undefined;
  util.isArray = Array.isArray;
}
