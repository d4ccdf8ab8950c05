/** What this machine can compute on: each backend, usable or exactly why not, and how fast it is at a fused training step. */
import { OccamError, messageOf } from "../src/core/errors.ts";
import { systemClock, type Clock } from "../src/core/clock.ts";
import { loadBackend } from "./engine/backends.ts";
import { openEngine } from "./engine/engine.ts";
import { BACKEND_NAMES, type BackendName } from "./engine/loaded-backend.ts";
import { fusedStepGflops } from "./step-speed.ts";

export type BackendDiagnosis =
  | {
      readonly backend: BackendName;
      readonly usable: true;
      /** Of the package behind it. */
      readonly version: string;
      /** What computes, for people; for wasm also which SIMD. */
      readonly device: string;
      /** What one fused program may take. */
      readonly memoryBytes: number;
      /** Of a fused training step (`step-speed.ts`). */
      readonly gflops: number;
    }
  | {
      readonly backend: BackendName;
      readonly usable: false;
      readonly reason: string;
      /** What to install or change. */
      readonly hint: string;
    };

/** Tries every backend in the order of `auto`. Leaves the last usable one as the current backend of TensorFlow.js. */
export async function diagnoseBackends(clock: Clock = systemClock): Promise<readonly BackendDiagnosis[]> {
  const diagnoses: BackendDiagnosis[] = [];
  for (const backend of BACKEND_NAMES) diagnoses.push(await diagnose(backend, clock));
  return diagnoses;
}

async function diagnose(backend: BackendName, clock: Clock): Promise<BackendDiagnosis> {
  try {
    const { version } = await loadBackend(backend);
    const engine = await openEngine(backend, { clock });
    const { device, memoryBudgetBytes } = engine;
    return { backend, usable: true, version, device, memoryBytes: memoryBudgetBytes, gflops: fusedStepGflops(engine) };
  } catch (error) {
    if (error instanceof OccamError) return unusable(backend, error.message, error.hint);
    // It opened, and then could not do a step.
    return unusable(backend, `backend ${backend}: a training step failed: ${messageOf(error)}`, "use another backend");
  }
}

const unusable = (backend: BackendName, reason: string, hint = ""): BackendDiagnosis => ({
  backend,
  usable: false,
  reason,
  hint,
});
