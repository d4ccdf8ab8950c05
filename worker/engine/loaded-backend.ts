/** What a backend is once it is loaded: TensorFlow.js with that backend as its current one, and what the engine asks of it. */
import type { Tf } from "../../src/catalogue/entry.ts";
import type { NoiseSource } from "./noise.ts";

export const BACKEND_NAMES = ["tensorflow-gpu", "tensorflow", "webgpu", "wasm"] as const;
export type BackendName = (typeof BACKEND_NAMES)[number];

export interface LoadedBackend {
  readonly tf: Tf;
  readonly name: BackendName;
  /** What computes, for people: "WebAssembly with SIMD on ...". */
  readonly device: string;
  /** Version of the package behind it. */
  readonly version: string;
  /** Bytes that tensors of one fused program may take together. A program that needs more is cut into several. */
  readonly memoryBudgetBytes: number;
  /** Keyed draws, by the fastest way that this backend has. */
  readonly noise: NoiseSource;
}
