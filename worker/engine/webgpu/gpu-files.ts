/** What the file system says of GPUs. */
import { existsSync, readdirSync } from "node:fs";

/** On Linux a GPU is a device file: of a kernel driver, of NVIDIA's, of Windows' below WSL. Dawn would start Vulkan to find none. */
export function mayHaveGpu(): boolean {
  if (process.platform !== "linux" || existsSync("/dev/nvidiactl") || existsSync("/dev/dxg")) return true;
  return existsSync("/dev/dri") && readdirSync("/dev/dri").some((name) => name.startsWith("renderD"));
}
