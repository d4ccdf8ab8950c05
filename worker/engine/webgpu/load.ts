/**
 * WebGPU through Dawn's Node binding: any Vulkan, Metal or D3D12 device. A device that computes on the processor is refused,
 * because wasm is faster, unless OCCAM_WEBGPU_SOFTWARE=1 says that this is wanted: the tests do.
 */
import { OccamError } from "../../../src/core/errors.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { LoadedBackend } from "../loaded-backend.ts";
import { deviceBudgetBytes } from "../memory-budget.ts";
import { processor } from "../processor.ts";
import { loadTfjsCore } from "../tfjs-core.ts";
import { keepBindGroups } from "./bind-groups.ts";
import { ConstantBuffers } from "./constant-buffers.ts";
import { mayHaveGpu } from "./gpu-files.ts";
import { describe, openDevice, type OpenDevice } from "./dawn.ts";
import { webgpuNoise } from "./noise.ts";
import { OwnPrograms } from "./own-program.ts";
import { registerPow } from "./pow.ts";
import { registerOwnKernels } from "./register.ts";
import { openTfjsBackend, type WebgpuBackend } from "./tfjs-backend.ts";

/**
 * WebGPU tells no one how much memory a device has. Where nvidia-smi cannot be asked, this is what the GPUs of the last years
 * have at the least, less what others on it need. A program that finds less ends with "out-of-memory" and is tried in smaller
 * parts.
 */
const MEMORY_BUDGET_BYTES = 4 * 2 ** 30;
/** As the adapter names its vendor. */
const NVIDIA = "nvidia";
/** `MatMulProgramType.MatMulPackedProgram` of the package. */
const TILED_PRODUCT = 3;

export async function loadWebgpu(): Promise<LoadedBackend> {
  const allowSoftware = process.env["OCCAM_WEBGPU_SOFTWARE"] === "1";
  if (!allowSoftware && !mayHaveGpu()) {
    throw new OccamError("unsupported", "backend webgpu: this machine has no GPU", {
      hint: "use --backend wasm; OCCAM_WEBGPU_SOFTWARE=1 allows a software device, for tests",
    });
  }
  const tf = loadTfjsCore();
  const { opened, backend } = await openOnce(tf, allowSoftware);
  if (!(await tf.setBackend("webgpu"))) {
    throw new OccamError("unsupported", "backend webgpu: TensorFlow.js did not take the device", {
      hint: "use --backend wasm",
    });
  }
  return {
    tf,
    name: "webgpu",
    device: deviceName(opened),
    version: opened.version,
    memoryBudgetBytes: budgetOf(opened),
    noise: webgpuNoise(tf, backend),
  };
}

interface Opened {
  readonly opened: OpenDevice;
  readonly backend: WebgpuBackend;
}

/** TensorFlow.js keeps its backends in global state, so a process has one device. */
let once: Opened | undefined;

async function openOnce(tf: Tf, allowSoftware: boolean): Promise<Opened> {
  if (once !== undefined) return once;
  const opened = await openDevice(allowSoftware);
  const backend = await openTfjsBackend(opened, budgetOf(opened));
  tf.registerBackend("webgpu", () => backend as never);
  configure(tf);
  registerPow(tf, backend);
  keepBindGroups(backend.device);
  const constants = new ConstantBuffers(backend);
  constants.takeOver();
  registerOwnKernels(tf, new OwnPrograms(tf, backend, constants));
  void endWithDevice(opened);
  once = { opened, backend };
  return once;
}

/**
 * A lost device (a driver that was reset, a GPU that was taken away) does not come back, and every later program would fail
 * on it. The rejection that no one handles ends the process; the agent starts another, which opens a device anew.
 */
async function endWithDevice({ device }: OpenDevice): Promise<never> {
  const { reason, message } = await device.lost;
  throw new OccamError("internal", `backend webgpu: the device was lost (${reason}): ${message}`);
}

/** Rules that make a member's numbers depend less on who shares its program, and nothing on chance. */
function configure(tf: Tf): void {
  // The package picks one of four products by the whole amount of work, the other members' included; one of them adds up in
  // whatever order its threads come. The tiled one is what it picks for programs of many members.
  tf.env().set("WEBGPU_MATMUL_PROGRAM_TYPE", TILED_PRODUCT);
  // Small tensors that were never on the device would be computed on by the processor, and larger ones by the device.
  tf.env().set("WEBGPU_CPU_FORWARD", false);
}

function budgetOf({ device, info, isSoftware }: OpenDevice): number {
  if (info.vendor === NVIDIA && !isSoftware) return deviceBudgetBytes();
  return Math.min(MEMORY_BUDGET_BYTES, device.limits["maxStorageBufferBindingSize"]!);
}

function deviceName({ info, isSoftware }: OpenDevice): string {
  return isSoftware ? `${describe(info)}, in software on ${processor()}` : describe(info);
}
