/**
 * A user's own loss: one negative log-likelihood a sample, as a function of a list of weights, and its gradient. What the
 * function gives back is judged at every call, for nothing is known of it; `losses-trial.ts` tries out the rest once.
 *
 * Ownership: the weights and rows that it is called with are lent; what it makes on the way is ours to tidy.
 */
import type { Tensor1D } from "@tensorflow/tfjs-core";
import { OccamError, messageOf } from "../../src/core/errors.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import { disposingKept } from "../trainer/tensor-scope.ts";

/**
 * Negative log-likelihoods (nats) of samples under a model, without a mean: element i is that of sample `rows[i]` alone.
 *
 * Built of operations of the engine's own `tf`, synchronous, without randomness, and from the weights that it is given.
 *
 * @param weights in the order and the shapes of `weights` of the request
 * @param rows numbers of samples, int32 [m], 0 .. samples - 1: read your data by `tf.gather(data, rows)`
 * @returns float32 [m]
 */
export type Losses = (weights: readonly Tensor[], rows: Tensor1D) => Tensor1D;

const WHERE = "estimateLearningCoefficient";

/** A mistake in a user's function. @param message what `losses` does */
export function lossesError(message: string, hint: string, cause?: unknown): OccamError {
  return new OccamError("bad-usage", `losses ${message}`, { where: WHERE, hint, cause });
}

/** The losses of these rows, [m]: a call, judged. To be called inside a tidy. */
export function lossesAt(tf: Tf, losses: Losses, weights: readonly Tensor[], rows: Tensor1D): Tensor1D {
  let made: unknown;
  try {
    made = losses(weights, rows);
  } catch (error) {
    // The engine's own, a failed allocation for one, says it better.
    if (error instanceof OccamError) throw error;
    throw thrown(error, weights, rows);
  }
  return judged(tf, made, rows.size);
}

/** Losses [m] of one member and the gradients of their mean. Inside a tidy. @param dy 1/m, [m] */
export function lossesAndGradients(
  tf: Tf,
  losses: Losses,
  weights: readonly Tensor[],
  rows: Tensor1D,
  dy: Tensor1D,
): { readonly value: Tensor1D; readonly grads: readonly Tensor[] } {
  const lossesOf = (...leaves: Tensor[]): Tensor1D => lossesAt(tf, losses, leaves, rows);
  try {
    return disposingKept(tf, () => tf.valueAndGrads(lossesOf)([...weights], dy));
  } catch (error) {
    if (error instanceof OccamError) throw error;
    throw withoutGradient(error, unreached(tf, lossesOf, weights, dy), weights);
  }
}

function thrown(error: unknown, weights: readonly Tensor[], rows: Tensor1D): OccamError {
  const method = /\.(\w+) is not a function/u.exec(messageOf(error))?.[1];
  const shapes = weights.map(({ shape }) => `[${shape.join(", ")}]`).join(", ");
  const hint =
    method === undefined
      ? `it was called with weights ${shapes} and ${rows.size} rows`
      : `tensors have no chained methods here: write tf.${method}(tensor, ...)`;
  return lossesError(`threw "${messageOf(error)}"`, hint, error);
}

function judged(tf: Tf, made: unknown, rows: number): Tensor1D {
  if (!(made instanceof tf.Tensor)) throw notATensor(made);
  if (!isOfEngine(tf, made)) throw foreignTensor();
  if (made.dtype !== "float32") {
    throw lossesError(`gave ${made.dtype} numbers`, 'give float32: tf.cast(losses, "float32") keeps the gradient');
  }
  if (made.rank === 1 && made.size === rows) return made as Tensor1D;
  throw wrongShape(made.shape, rows);
}

function notATensor(made: unknown): OccamError {
  const isPromise = typeof (made as { then?: unknown } | undefined)?.then === "function";
  if (isPromise) {
    return lossesError("gave a promise", "make it synchronous: load your data before, and no async function");
  }
  const kind = made === undefined ? "nothing" : Array.isArray(made) ? "an array" : `a ${typeof made}`;
  const hint = made === undefined ? "return the losses" : "return a tensor, not numbers read out of one";
  return lossesError(`gave ${kind}, not a tensor`, hint);
}

function wrongShape(shape: readonly number[], rows: number): OccamError {
  const asked = `${rows} ${rows === 1 ? "row was" : "rows were"} asked for`;
  const message = `gave the shape [${shape.join(", ")}] where ${asked}: it must be [${rows}]`;
  const size = shape.reduce((product, length) => product * length, 1);
  if (shape.length === 0) {
    return lossesError(`gave one number where ${asked}`, "give one loss a row; the mean over them is taken for you");
  }
  if (size === rows) return lossesError(message, `drop the axes of length 1: tf.reshape(losses, [-1])`);
  const isOfEach = shape[0] === rows;
  return lossesError(
    message,
    isOfEach
      ? "sum what belongs to one sample over the further axes: tf.sum(losses, -1)"
      : "read the rows that are asked for, tf.gather(data, rows), and give one loss for each",
  );
}

/** Does this tensor's data live in the engine? A disposed one's does not. */
export function isOfEngine(tf: Tf, tensor: Tensor): boolean {
  return !tensor.isDisposed && tf.engine().state.tensorInfo.has(tensor.dataId);
}

function foreignTensor(): OccamError {
  return lossesError(
    "gave a tensor that was disposed, or is of another copy of TensorFlow.js",
    "make every tensor with the engine's own: const { tf } = await openEngine(...)",
  );
}

/** Which weights the losses do not depend on. */
function unreached(
  tf: Tf,
  lossesOf: (...leaves: Tensor[]) => Tensor1D,
  weights: readonly Tensor[],
  dy: Tensor1D,
): readonly number[] {
  return weights.flatMap((weight, p) => {
    const ofOne = (leaf: Tensor): Tensor1D => lossesOf(...weights.map((other, q) => (q === p ? leaf : other)));
    try {
      disposingKept(tf, () => tf.tidy(() => tf.valueAndGrad(ofOne)(weight, dy).grad));
      return [];
    } catch (error) {
      return /encloses all operations/u.test(messageOf(error)) ? [p] : [];
    }
  });
}

function withoutGradient(error: unknown, missing: readonly number[], weights: readonly Tensor[]): OccamError {
  if (missing.length === 0) {
    const [first] = messageOf(error).split("\n");
    const hint = "comparisons, argMax, topk and the like have no gradient: give a likelihood, not an accuracy";
    return lossesError(`cannot be differentiated: ${first}`, hint, error);
  }
  const names = missing.map((p) => `weights[${p}] ([${weights[p]!.shape.join(", ")}])`).join(", ");
  const hint =
    missing.length === weights.length
      ? "compute them from the weights in the first argument, not from variables of your own nor from numbers read out of them"
      : "use it as it is given in the first argument, or leave it out of `weights`";
  return lossesError(`do not depend on ${names}`, hint, error);
}
