/**
 * The TensorFlow.js backends that a worker can compute on, in the order in which `auto` tries them, and how each is loaded.
 * Nothing else loads TensorFlow.js. All of it is CommonJS: the bundles for Node have no usable ESM form.
 *
 * Backends that the design names but that need nothing here are not listed: WebGPU comes with its own package, after
 * `tensorflow` and before `wasm`.
 */
import { createRequire } from "node:module";
import { availableParallelism, cpus } from "node:os";
import { dirname } from "node:path";
import { OccamError, invariant, messageOf } from "../../src/core/errors.ts";
import { PACKAGE_VERSION } from "../../src/core/version.ts";
import type { Tf } from "../../src/catalogue/entry.ts";

export const BACKEND_NAMES = ["tensorflow-gpu", "tensorflow", "wasm"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

/** A backend that is loaded and is the current one of `tf`. */
export interface LoadedBackend {
  readonly tf: Tf;
  readonly name: BackendName;
  /** What computes, for people: "WebAssembly with SIMD on ...". */
  readonly device: string;
  /** Version of the package behind it. */
  readonly version: string;
  /**
   * Members that a fused program has at the least. On wasm a batched product of ONE member takes another path (XNNPACK)
   * than that of two or more, and the two differ in the last bits; so a single member is computed twice.
   */
  readonly leastMembers: number;
}

interface Backend {
  readonly name: BackendName;
  readonly packageName: string;
  load(): Promise<LoadedBackend>;
}

/** What `@tensorflow/tfjs-node` and its GPU twin add to the core module. */
type NativeTf = Tf & { readonly version: { readonly "tfjs-core": string } };

/** What the native backend object (tfjs-node's NodeJSKernelBackend) tells of its library. */
interface NativeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: { readonly TF_Version: string };
}

const require = createRequire(import.meta.url);
/** The native addon does not load on Node 23 and later. */
const LAST_NATIVE_NODE_MAJOR = 22;

const BACKENDS: readonly Backend[] = [
  { name: "tensorflow-gpu", packageName: "@tensorflow/tfjs-node-gpu", load: () => loadNative("tensorflow-gpu") },
  { name: "tensorflow", packageName: "@tensorflow/tfjs-node", load: () => loadNative("tensorflow") },
  { name: "wasm", packageName: "@tensorflow/tfjs-backend-wasm", load: loadWasm },
];

/** Loads one backend; an OccamError "unsupported" says exactly why it cannot be used and what would mend it. */
export async function loadBackend(name: BackendName): Promise<LoadedBackend> {
  const backend = BACKENDS.find((candidate) => candidate.name === name);
  if (backend === undefined) throw new OccamError("internal", `no backend ${name as string}`);
  try {
    return await backend.load();
  } catch (error) {
    if (error instanceof OccamError) throw error;
    throw unusable(backend, error);
  }
}

function unusable(backend: Backend, error: unknown): OccamError {
  const code = (error as { code?: string }).code;
  const missing = code === "MODULE_NOT_FOUND" && messageOf(error).includes(backend.packageName);
  if (missing) {
    return new OccamError("unsupported", `backend ${backend.name}: package ${backend.packageName} is not installed`, {
      hint: `npm install ${backend.packageName}@4.22.0 (it downloads a native library)`,
      cause: error,
    });
  }
  return new OccamError("unsupported", `backend ${backend.name}: ${firstLine(messageOf(error))}`, {
    hint: `npm rebuild ${backend.packageName}, or use --backend wasm`,
    cause: error,
  });
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? text;

function loadNative(name: "tensorflow" | "tensorflow-gpu"): Promise<LoadedBackend> {
  const major = Number(process.versions.node.split(".")[0]);
  const packageName = name === "tensorflow-gpu" ? "@tensorflow/tfjs-node-gpu" : "@tensorflow/tfjs-node";
  // Resolved first, so that "not installed" is told apart from "does not load".
  require.resolve(packageName);
  if (major > LAST_NATIVE_NODE_MAJOR) {
    throw new OccamError("unsupported", `backend ${name}: its native addon does not load on Node ${major}`, {
      hint: "use Node 20 or 22, or --backend wasm",
    });
  }
  return startNative(name, require(packageName) as NativeTf);
}

async function startNative(name: "tensorflow" | "tensorflow-gpu", tf: NativeTf): Promise<LoadedBackend> {
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
    leastMembers: 1,
  };
}

async function loadWasm(): Promise<LoadedBackend> {
  const tf = require("@tensorflow/tfjs-core") as Tf;
  // The core bundle has no gradients of its own; tfjs-layers registers them.
  const layers: unknown = require("@tensorflow/tfjs-layers");
  invariant(layers, "tfjs-layers loads");
  const wasm = require("@tensorflow/tfjs-backend-wasm") as {
    setWasmPaths(folder: string): void;
    readonly version_wasm: string;
  };
  wasm.setWasmPaths(`${dirname(require.resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  if (!(await tf.setBackend("wasm"))) {
    throw new OccamError("unsupported", "backend wasm: the WebAssembly module did not start", {
      hint: `reinstall occam ${PACKAGE_VERSION} (npm ci)`,
    });
  }
  await tf.ready();
  const simd = (await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT")) === true;
  const device = `WebAssembly ${simd ? "with" : "without"} SIMD, one thread, on ${processor()}`;
  return { tf, name: "wasm", device, version: wasm.version_wasm, leastMembers: 2 };
}

function processor(): string {
  return `${cpus()[0]?.model.trim() ?? "an unknown processor"} (${availableParallelism()} cores)`;
}
