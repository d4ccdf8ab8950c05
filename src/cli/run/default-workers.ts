/** How many workers `occam run` starts where nobody says, by what they compute on, and which GPU each of them takes. */
import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";

type Env = Readonly<Record<string, string | undefined>>;

const NVIDIA_SMI = "nvidia-smi";
const ASK_TIMEOUT_MS = 5_000;

/**
 * wasm computes on one thread: one worker for each core. TensorFlow takes all cores by itself, and a GPU is shared badly: one
 * worker, or one for each NVIDIA GPU.
 */
export function defaultWorkers(backend: string, gpus: readonly string[], cores = availableParallelism()): number {
  switch (backend) {
    case "wasm":
      return cores;
    case "tensorflow-gpu":
      return Math.max(1, gpus.length);
    default:
      return 1;
  }
}

/** The NVIDIA GPUs that a process may use, as CUDA_VISIBLE_DEVICES names them; none where nobody can be asked. */
export function visibleGpus(env: Env, ask: () => string = askNvidiaSmi): readonly string[] {
  const named = env["CUDA_VISIBLE_DEVICES"];
  try {
    return (named ?? ask())
      .split(/[\n,]/)
      .map((id) => id.trim())
      .filter((id) => id !== "");
  } catch {
    return [];
  }
}

function askNvidiaSmi(): string {
  return execFileSync(NVIDIA_SMI, ["--query-gpu=index", "--format=csv,noheader"], {
    encoding: "utf8",
    timeout: ASK_TIMEOUT_MS,
    stdio: ["ignore", "pipe", "ignore"],
  });
}

/** What worker number 1, 2, ... finds in its environment, so that each computes on a GPU of its own. */
export function gpuEnv(backend: string, number: number, gpus: readonly string[]): Env {
  const gpu = gpus[(number - 1) % Math.max(1, gpus.length)];
  return backend === "tensorflow-gpu" && gpu !== undefined ? { CUDA_VISIBLE_DEVICES: gpu } : {};
}
