/**
 * The TensorFlow C library through `@tensorflow/tfjs-node` (CPU) and `@tensorflow/tfjs-node-gpu` (NVIDIA GPUs), which are one
 * addon over two builds of the library.
 */
import { createRequire } from "node:module";
import { OccamError } from "../../../src/core/errors.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { LoadedBackend } from "../loaded-backend.ts";
import { philoxNoise } from "../noise.ts";
import { processor } from "../processor.ts";

/** What the native packages add to the core module. */
type NativeTf = Tf & { readonly version: { readonly "tfjs-core": string } };

/** What the native backend object (tfjs-node's NodeJSKernelBackend) tells of its library. */
interface NativeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

const require = createRequire(import.meta.url);
/** The native addon does not load on Node 23 and later. */
const LAST_NATIVE_NODE_MAJOR = 22;
const MEMORY_BUDGET_BYTES = 8 * 2 ** 30;

export async function loadTensorflow(name: "tensorflow" | "tensorflow-gpu"): Promise<LoadedBackend> {
  const major = Number(process.versions.node.split(".")[0]);
  const packageName = name === "tensorflow-gpu" ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node";
  // Resolved first, so that "not installed" is told apart from "does not load".
  require.resolve(packageName);
  if (major > LAST_NATIVE_NODE_MAJOR) {
    throw new OccamError("unsupported", `backend ${name}: its native addon does not load on Node ${major}`, {
      hint: "use Node 20 or 22, or --backend wasm",
    });
  }
  const tf = require(packageName) as NativeTf;
  await tf.setBackend("tensorflow");
  await tf.ready();
  const { isUsingGpuDevice: onGpu, binding } = tf.backend() as unknown as NativeBackend;
  if (name === "tensorflow-gpu" && !onGpu) {
    throw new OccamError("unsupported", "backend tensorflow-gpu: the library loaded, but it sees no usable GPU", {
      hint: "check nvidia-smi, and that CUDA 11.x and cuDNN 8 are on the library path",
    });
  }
  const library = `TensorFlow ${binding.TF_Version}`;
  return {
    tf,
    name,
    device: onGpu ? `${library} on an NVIDIA GPU` : `${library} on ${processor()}`,
    version: tf.version["tfjs-core"],
    memoryBudgetBytes: MEMORY_BUDGET_BYTES,
    noise: philoxNoise(tf),
  };
}
