/**
 * Occam as a library: `import { openEngine, estimateLearningCoefficient } from "occam"`. The learning coefficient of a user's own
 * TensorFlow.js model, by the same estimator that sweeps use (`complexity/estimate-surface.ts`).
 *
 *     const engine = await openEngine("auto");
 *     const { tf } = engine;
 *
 * Every tensor must be made with the engine's own `tf`: TensorFlow.js keeps its backend in global state.
 *
 * A known answer: K = 1/2 w1^2 w2^2, whose learning coefficient at 0 is 1/2, of multiplicity 2, so that at a finite t it reads
 * less (`normalCrossingAtT` in `src/oracle/normal-crossing.ts`; 0.381 here). `examples/library.mjs` runs it:
 *
 *     const losses = ([w], rows) => tf.mul(tf.ones(rows.shape), tf.mul(0.5, tf.square(tf.prod(w))));
 *     const { lambdaHat, lambdaSe, verdict } = await estimateLearningCoefficient({
 *       engine, losses, weights: [{ values: [0, 0], shape: [2] }], samples: 1000, nBeta: 1000, trajectory: 8, budget: 5000,
 *     });
 */
import { OccamError } from "../src/core/errors.ts";
import { fold, rootKey, type RandomKey } from "../src/core/random.ts";
import type { Tensor } from "../src/catalogue/entry.ts";
import { readEstimateOptions, shownValue, type EstimateOptions } from "../src/spec/estimate-options.ts";
import type { EstimateConfig } from "../src/spec/cell.ts";
import { estimateSurface } from "./complexity/estimate-surface.ts";
import type { LearningCoefficient } from "./complexity/learning-coefficient.ts";
import type { Engine } from "./engine/engine.ts";
import { Pace } from "./engine/pace.ts";
import { tryLosses } from "./sample/losses-trial.ts";
import type { Losses } from "./sample/user-losses.ts";
import { UserSurface, type UserModel } from "./sample/user-surface.ts";
import { readWeights, type WeightArray } from "./sample/user-weights.ts";

export { openEngine, type Engine, type EngineOptions } from "./engine/engine.ts";
export type { BackendName } from "./engine/loaded-backend.ts";
export { OccamError, type ErrorCode } from "../src/core/errors.ts";
export type { EstimateOptions, LearningCoefficient, Losses, WeightArray };

export interface EstimateRequest extends EstimateOptions {
  /** What `openEngine` gave. */
  readonly engine: Engine;
  /** Negative log-likelihoods of samples, one each. Called once a chain and step. */
  readonly losses: Losses;
  /** Trained weights w0, as the engine's tensors (lent, float32) or arrays with shapes. All of them move. */
  readonly weights: readonly (Tensor | WeightArray)[];
  /** n: how many samples there are, at least 2. */
  readonly samples: number;
  /** All chance comes of it: the same seed gives the same numbers on the same kind of backend. Default 0. */
  readonly seed?: number | undefined;
  /** Ends the estimate with an OccamError "cancelled". */
  readonly signal?: AbortSignal | undefined;
  /** Called about twice a second. Sampling may end before `of`, when it is precise enough. */
  readonly onProgress?: ((progress: EstimateProgress) => void) | undefined;
}

export interface EstimateProgress {
  /** Gradients of each chain so far, of those that it may take. */
  readonly done: number;
  readonly of: number;
}

/**
 * Estimates the local learning coefficient of a model at its weights.
 *
 * Throws OccamError "bad-usage" for options that cannot be used, all mistakes in one, and for a function `losses` that does not
 * keep its contract; "cancelled" once `signal` has aborted. No tensor is left behind.
 */
export async function estimateLearningCoefficient(request: EstimateRequest): Promise<LearningCoefficient> {
  const { engine, signal, onProgress } = request;
  const { config, model, key } = checked(request);
  const surface = new UserSurface(engine, model);
  const pace = new Pace(engine.clock, signal ?? new AbortController().signal);
  const progress = (done: number, of: number): void => {
    if (onProgress !== undefined && pace.progressDue()) onProgress({ done, of });
  };
  try {
    await pace.turn();
    const baseLoss = surface.baseLoss();
    tryLosses(engine.tf, model, key);
    const [result] = await estimateSurface(surface, [{ key }], config, { progress, log: () => undefined }, pace);
    const { estimate, record } = result!;
    return { estimand: "loss", baseLoss, ...estimate, x: record.x };
  } catch (error) {
    if (!(error instanceof OccamError) || error.code !== "cancelled") throw error;
    throw new OccamError("cancelled", "the estimate was cancelled by its signal", { cause: signal?.reason });
  }
}

interface Checked {
  readonly config: EstimateConfig;
  readonly model: UserModel;
  readonly key: RandomKey;
}

/** What a request has beside the options of an estimate. */
const OWN_KEYS: readonly string[] = ["engine", "losses", "weights", "samples", "seed", "signal", "onProgress"];
/** Row numbers are float32 on some ways through TensorFlow.js. */
const MOST_SAMPLES = 2 ** 24;

/** Once, with every mistake in one error. */
function checked(request: EstimateRequest): Checked {
  const { engine, losses, weights, samples, seed = 0, signal, onProgress } = request;
  const problems: string[] = [];
  const refuse = (isWrong: boolean, problem: string): void => void (isWrong && problems.push(problem));
  const isCount = Number.isInteger(samples) && samples >= 2 && samples <= MOST_SAMPLES;
  refuse(typeof losses !== "function", `losses cannot be ${shownValue(losses)}: a function (weights, rows) => losses`);
  refuse(!isCount, `samples cannot be ${shownValue(samples)}: an integer from 2 to ${MOST_SAMPLES}`);
  refuse(!Number.isSafeInteger(seed) || seed < 0, `seed cannot be ${shownValue(seed)}: an integer not below 0`);
  refuse(signal !== undefined && !(signal instanceof AbortSignal), "signal is no AbortSignal");
  refuse(onProgress !== undefined && typeof onProgress !== "function", "onProgress is no function");
  const engineProblem = engineProblemOf(engine);
  refuse(engineProblem !== undefined, engineProblem ?? "");
  const read = engineProblem === undefined ? readWeights(engine.tf, weights, problems) : undefined;
  const config = readEstimateOptions({ ...request }, OWN_KEYS, samples, problems);
  if (problems.length > 0 || config === undefined || read === undefined) throw refusal(problems);
  return { config, model: { losses, samples, ...read }, key: fold(rootKey(`library/${seed}`), "estimate") };
}

function engineProblemOf(engine: Partial<Engine> | undefined): string | undefined {
  if (engine?.tf === undefined || engine.noise === undefined) {
    return 'engine is not what openEngine gave: const engine = await openEngine("auto")';
  }
  const wanted = engine.backend === "tensorflow-gpu" ? "tensorflow" : engine.backend;
  const current = engine.tf.getBackend();
  if (current === wanted) return undefined;
  return `the backend of TensorFlow.js is now "${current}", not the engine's "${wanted}": take out your tf.setBackend`;
}

function refusal(problems: readonly string[]): OccamError {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const list = problems.map((problem) => `\n  - ${problem}`).join("");
  return new OccamError("bad-usage", `${count}${list}`, {
    where: "estimateLearningCoefficient",
  });
}
