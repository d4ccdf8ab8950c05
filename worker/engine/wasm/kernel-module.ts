/** The compiled kernels: which build this machine can run, instantiated in the memory of TensorFlow.js's wasm backend. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { OccamError } from "../../../src/core/errors.ts";

/** What a kernel family exports; each family's file names its own functions. */
export type KernelExports = Readonly<Record<string, (...operands: number[]) => number>>;

export interface KernelModule {
  readonly exports: KernelExports;
  /** Fused multiply-adds (relaxed SIMD): Node 22 and later. Bits differ from a machine without, within the stated tolerance. */
  readonly relaxed: boolean;
}

/**
 * Set to "off", it keeps to plain SIMD, so that numbers are bitwise those of a machine without relaxed SIMD.
 */
export const RELAXED_SIMD_VARIABLE = "OCCAM_RELAXED_SIMD";

export function openKernels(memory: WebAssembly.Memory): KernelModule {
  if (process.env[RELAXED_SIMD_VARIABLE] !== "off") {
    const relaxed = readFileSync(fileOf("kernels-relaxed"));
    if (WebAssembly.validate(relaxed)) return { exports: instantiate(relaxed, memory), relaxed: true };
  }
  return { exports: instantiate(readFileSync(fileOf("kernels")), memory), relaxed: false };
}

function instantiate(bytes: Uint8Array<ArrayBuffer>, memory: WebAssembly.Memory): KernelExports {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return instance.exports as unknown as KernelExports;
}

/** In a build the module lies beside this file; the sources run with that of the last build. */
function fileOf(name: string): string {
  const folder = import.meta.url.endsWith(".ts") ? "../../../dist/worker/engine/wasm/" : "./";
  const path = fileURLToPath(new URL(`${folder}${name}.wasm`, import.meta.url));
  if (existsSync(path)) return path;
  throw new OccamError("unsupported", "backend wasm: the compiled kernels are missing from this installation", {
    where: path,
    hint: "run npm run build",
  });
}
