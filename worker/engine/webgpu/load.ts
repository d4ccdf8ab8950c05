/** WebGPU through Dawn's Node binding: any Vulkan, Metal or D3D12 device. */
import { OccamError } from "../../../src/core/errors.ts";
import type { LoadedBackend } from "../loaded-backend.ts";

export function loadWebgpu(): Promise<LoadedBackend> {
  throw new OccamError("unsupported", "backend webgpu: not built yet", { hint: "use --backend wasm" });
}
