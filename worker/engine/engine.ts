/**
 * The engine: one TensorFlow.js backend, opened, with everything that the learning code needs of the machine. A process has
 * one engine: TensorFlow.js keeps its backend in global state.
 */
import { OccamError, messageOf } from "../../src/core/errors.ts";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import type { Tf } from "../../src/catalogue/entry.ts";
import { loadBackend } from "./backends.ts";
import { DatasetCache } from "./dataset-cache.ts";
import { BACKEND_NAMES, type BackendName, type LoadedBackend } from "./loaded-backend.ts";
import type { NoiseSource } from "./noise.ts";

export interface Engine {
  readonly tf: Tf;
  readonly backend: BackendName;
  /** What computes, for people. */
  readonly device: string;
  /** Bytes that tensors of one fused program may take together. A program that needs more is cut into several. */
  readonly memoryBudgetBytes: number;
  readonly noise: NoiseSource;
  readonly datasets: DatasetCache;
  readonly clock: Clock;
  /** Live tensors and their bytes, now. */
  memory(): { readonly tensors: number; readonly bytes: number };
}

export interface EngineOptions {
  readonly clock?: Clock;
  /** Called once, by `auto`, when a better backend cannot be used: one sentence with the reasons. */
  readonly onFallback?: (reason: string) => void;
}

/**
 * Opens a backend. A named one that cannot be used throws OccamError "unsupported" with the reason and a hint; `auto` takes
 * the first that works.
 */
export async function openEngine(backend: "auto" | BackendName, options: EngineOptions = {}): Promise<Engine> {
  const clock = options.clock ?? systemClock;
  if (backend !== "auto") return engineOn(await loadBackend(backend), clock);
  const reasons: string[] = [];
  for (const name of BACKEND_NAMES) {
    try {
      const loaded = await loadBackend(name);
      if (reasons.length > 0) options.onFallback?.(`computing on ${name}: ${reasons.join("; ")}`);
      return engineOn(loaded, clock);
    } catch (error) {
      if (!(error instanceof OccamError) || error.code !== "unsupported") throw error;
      reasons.push(messageOf(error));
    }
  }
  throw new OccamError("unsupported", `no backend can be used: ${reasons.join("; ")}`, {
    hint: "run occam doctor; npm ci restores the wasm backend, which needs nothing else",
  });
}

function engineOn(loaded: LoadedBackend, clock: Clock): Engine {
  const { tf } = loaded;
  return {
    tf,
    backend: loaded.name,
    device: loaded.device,
    memoryBudgetBytes: loaded.memoryBudgetBytes,
    noise: loaded.noise,
    datasets: new DatasetCache(),
    clock,
    memory: () => {
      const { numTensors, numBytes } = tf.memory();
      return { tensors: numTensors, bytes: numBytes };
    },
  };
}

/** Is this error of TensorFlow.js, or of the runtime below it, a failed allocation? */
export function isOutOfMemory(error: unknown): boolean {
  if (error instanceof OccamError) return error.code === "out-of-memory";
  return /out of memory|\bOOM\b|RESOURCE_EXHAUSTED|cannot enlarge memory|unable to grow instance memory|array buffer allocation failed|could not allocate/i.test(
    messageOf(error),
  );
}
