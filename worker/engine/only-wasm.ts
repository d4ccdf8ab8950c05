/**
 * Is it sure, from a look at files alone, that no backend but wasm can work here? `occam run` then starts its workers at once,
 * where it would wait for the first one to tell what it opened.
 */
import { hasAddon } from "./tensorflow/package-folder.ts";
import { mayHaveGpu } from "./webgpu/gpu-files.ts";

export function onlyWasmCanWork(): boolean {
  const software = process.env["OCCAM_WEBGPU_SOFTWARE"] === "1";
  return !hasAddon("tensorflow-gpu") && !hasAddon("tensorflow") && !mayHaveGpu() && !software;
}
