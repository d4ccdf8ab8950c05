/** WebAssembly: the embedded default, TensorFlow.js's wasm backend with our own kernels in its memory. */
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { OccamError, invariant } from "../../../src/core/errors.ts";
import { PACKAGE_VERSION } from "../../../src/core/version.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { LoadedBackend } from "../loaded-backend.ts";
import { processor } from "../processor.ts";
import { loadTfjsCore } from "../tfjs-core.ts";
import { WasmHeap } from "./heap.ts";
import { OWN_KERNELS } from "./kernels.ts";
import { wasmNoise } from "./noise.ts";
import { registerKernels } from "./register.ts";

const require = createRequire(import.meta.url);
/** WebAssembly addresses 4 GiB at the most, and its allocator fragments; less than half of that is safe on every build. */
const MEMORY_BUDGET_BYTES = 1.5 * 2 ** 30;

/** One a process: TensorFlow.js keeps its backends in global state. */
let heap: WasmHeap | undefined;
let unregister: (() => void) | undefined;

export async function loadWasm(): Promise<LoadedBackend> {
  const tf = loadTfjsCore();
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
  heap ??= openHeap(tf);
  const device = `WebAssembly with ${heap.kernels.relaxed ? "relaxed SIMD" : "SIMD"}, one thread, on ${processor()}`;
  return {
    tf,
    name: "wasm",
    device,
    version: wasm.version_wasm,
    memoryBudgetBytes: MEMORY_BUDGET_BYTES,
    noise: wasmNoise(tf, heap),
  };
}

function openHeap(tf: Tf): WasmHeap {
  const opened = new WasmHeap(tf);
  unregister = registerKernels(tf, opened, OWN_KERNELS);
  return opened;
}

/** Runs on TensorFlow.js's kernels as they are shipped, for comparisons; ours are put back when it returns. */
export function withShippedKernels<T>(tf: Tf, run: () => T): T {
  invariant(heap !== undefined && unregister !== undefined, "the wasm backend is open");
  unregister();
  try {
    return run();
  } finally {
    unregister = registerKernels(tf, heap, OWN_KERNELS);
  }
}
