/** Bytes that tensors of one fused program may take together on the backends that do not have their own memory. */
import { execFileSync } from "node:child_process";
import { totalmem } from "node:os";

const GIB = 2 ** 30;
/** Of the memory there is: the rest is the process, the data, and what operations take beside their results. */
const HOST_SHARE = 1 / 2;
/** More buys nothing on a processor: a program is bound by arithmetic long before. */
const HOST_MOST_BYTES = 8 * GIB;
/** CUDA's context and the workspaces of cuBLAS and cuDNN take some GiB of a device; fragments the rest. */
const DEVICE_SHARE = 3 / 4;
/** Where nobody can be asked, or a GPU is cut up (MIG): below the smallest slice there is, 1g.5gb of an A100. */
const UNKNOWN_DEVICE_BYTES = 4 * GIB;
const ASK_TIMEOUT_MS = 5000;
const NVIDIA_SMI = "nvidia-smi";
const QUERY = ["--query-gpu=memory.total,mig.mode.current", "--format=csv,noheader,nounits"];

/** Half of the machine's memory, or of the control group's limit where there is one. */
export function hostBudgetBytes(totalBytes = totalmem(), limitBytes = process.constrainedMemory()): number {
  const available = limitBytes > 0 ? Math.min(totalBytes, limitBytes) : totalBytes;
  return Math.min(HOST_MOST_BYTES, available * HOST_SHARE);
}

/**
 * Three quarters of the GPU's memory, by nvidia-smi. Of several GPUs the smallest counts: which one the backend took, and in
 * which order it counts them, cannot be told from here.
 */
export function deviceBudgetBytes(ask: () => string = askNvidiaSmi): number {
  let answer: string;
  try {
    answer = ask();
  } catch {
    return UNKNOWN_DEVICE_BYTES;
  }
  const sizes = answer.trim().split("\n").map(bytesOfLine);
  return Math.min(...sizes.map((bytes) => bytes ?? UNKNOWN_DEVICE_BYTES));
}

/** "143771, Disabled": MiB in all, and whether the GPU is cut up. */
function bytesOfLine(line: string): number | undefined {
  const [mebibytes, cutUp] = line.split(",").map((field) => field.trim());
  const bytes = Number(mebibytes) * 2 ** 20;
  return cutUp === "Enabled" || !(bytes > 0) ? undefined : bytes * DEVICE_SHARE;
}

function askNvidiaSmi(): string {
  return execFileSync(NVIDIA_SMI, QUERY, {
    encoding: "utf8",
    timeout: ASK_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "ignore"],
  });
}
