/** Our WebAssembly kernels in each build that this Node can run, so that both are held to the same tolerances. */
import { readFileSync } from "node:fs";
import type { Tf } from "../../src/catalogue/entry.ts";
import { loadBackend } from "../../worker/engine/backends.ts";
import { WasmHeap } from "../../worker/engine/wasm/heap.ts";
import { RELAXED_SIMD_VARIABLE } from "../../worker/engine/wasm/kernel-module.ts";
import { OWN_KERNELS } from "../../worker/engine/wasm/kernels.ts";
import { registerKernels } from "../../worker/engine/wasm/register.ts";

type WasmBuild = "plain" | "relaxed";

const RELAXED = new URL("../../dist/worker/engine/wasm/kernels-relaxed.wasm", import.meta.url);

/** Relaxed SIMD came with Node 22. */
export const WASM_BUILDS: readonly WasmBuild[] = WebAssembly.validate(readFileSync(RELAXED))
  ? ["plain", "relaxed"]
  : ["plain"];

/** Puts the kernels of this build in the place of those that the backend opened with, until `close`. */
export async function openBuild(build: WasmBuild): Promise<{ readonly tf: Tf; close(): void }> {
  const { tf } = await loadBackend("wasm");
  const before = process.env[RELAXED_SIMD_VARIABLE];
  process.env[RELAXED_SIMD_VARIABLE] = build === "plain" ? "off" : "on";
  const heap = new WasmHeap(tf);
  if (before === undefined) delete process.env[RELAXED_SIMD_VARIABLE];
  else process.env[RELAXED_SIMD_VARIABLE] = before;
  return { tf, close: registerKernels(tf, heap, OWN_KERNELS) };
}

/** Runs with every kernel named "Occam..." taken away: the catalogue computes by its plain operations, which are the reference. */
export function withoutOwnKernels<T>(tf: Tf, run: () => T): T {
  const own = tf.getKernelsForBackend(tf.getBackend()).filter(({ kernelName }) => kernelName.startsWith("Occam"));
  for (const { kernelName, backendName } of own) tf.unregisterKernel(kernelName, backendName);
  try {
    return run();
  } finally {
    for (const kernel of own) tf.registerKernel(kernel);
  }
}
