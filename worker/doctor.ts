/** What this machine can compute on: each backend, usable or exactly why not, and how fast it is at a fused training step. */
import { OccamError, messageOf } from "../src/core/errors.ts";
import { systemClock, type Clock } from "../src/core/clock.ts";
import type { Tensor, Tf } from "../src/catalogue/entry.ts";
import { loadBackend } from "./engine/backends.ts";
import { BACKEND_NAMES, type BackendName } from "./engine/loaded-backend.ts";

export type BackendDiagnosis =
  | {
      readonly backend: BackendName;
      readonly usable: true;
      readonly version: string;
      readonly device: string;
      /** Arithmetic of a fused training step: 10^9 floating-point operations in a second. */
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
    const { tf, version, device } = await loadBackend(backend);
    return { backend, usable: true, version, device, gflops: fusedStepGflops(tf, clock) };
  } catch (error) {
    const hint = error instanceof OccamError ? (error.hint ?? "") : "";
    return { backend, usable: false, reason: messageOf(error), hint };
  }
}

/** A two-layer network, 16 members, as a sweep would have it. */
const SHAPE = { members: 16, rows: 64, inputs: 64, hidden: 64, outputs: 10 } as const;
const MEASURE_MS = 300;

/** Forward and backward of one layer is three products: y = x w, dw = x^T dy, dx = dy w^T (not of the input's). */
function flopsOfStep(): number {
  const { members, rows, inputs, hidden, outputs } = SHAPE;
  return members * rows * (2 * 2 * inputs * hidden + 3 * 2 * hidden * outputs);
}

function fusedStepGflops(tf: Tf, clock: Clock): number {
  const { members, rows, inputs, hidden, outputs } = SHAPE;
  const x = tf.ones([members, rows, inputs]);
  const weights = [tf.ones([members, inputs, hidden]), tf.ones([members, hidden, outputs])];
  const gradients = tf.grads((w1: Tensor, w2: Tensor) => tf.sum(tf.matMul(tf.tanh(tf.matMul(x, w1)), w2)));
  const step = (): void => {
    tf.tidy(() => gradients(weights)[0]!.dataSync());
  };
  try {
    step();
    let steps = 0;
    const startMs = clock.monotonicMs();
    do {
      step();
      steps += 1;
    } while (clock.monotonicMs() - startMs < MEASURE_MS);
    return (steps * flopsOfStep()) / (clock.monotonicMs() - startMs) / 1e6;
  } finally {
    tf.dispose([x, ...weights]);
  }
}
