/**
 * TensorFlow.js on its wasm backend, for tests of the catalogue. CommonJS bundles, because the ESM ones cannot be loaded by
 * Node; tfjs-layers only because it is what registers the gradients of tfjs-core.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Tf } from "../../src/catalogue/entry.ts";

interface WasmBackend {
  setWasmPaths(folder: string): void;
}

/** One thread, SIMD where the machine has it. */
export async function openWasm(): Promise<Tf> {
  const require = createRequire(import.meta.url);
  const tf = require("@tensorflow/tfjs-core") as Tf;
  const layers: unknown = require("@tensorflow/tfjs-layers");
  if (layers === undefined) throw new Error("tfjs-layers did not load");
  const backend = require("@tensorflow/tfjs-backend-wasm") as WasmBackend;
  const bundle = require.resolve("@tensorflow/tfjs-backend-wasm");
  backend.setWasmPaths(join(dirname(bundle), "/"));
  await tf.setBackend("wasm");
  await tf.ready();
  return tf;
}
