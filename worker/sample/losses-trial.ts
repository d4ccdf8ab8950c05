/**
 * Tries a user's function out on some rows before anything is sampled, for mistakes that its shapes do not show:
 *  - other losses when it is called again: dropout, noise, running statistics;
 *  - a sample's loss that depends on the samples beside it, or stands in another place than its row;
 *  - tensors that every call leaves behind;
 *  - gradients that are not finite, or 0 where the losses do change.
 */
import type { Tensor1D } from "@tensorflow/tfjs-core";
import { fillUniform, fold, permutation, type RandomKey } from "../../src/core/random.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import { lossesAndGradients, lossesAt, lossesError } from "./user-losses.ts";
import type { UserModel } from "./user-surface.ts";

const TRIAL_ROWS = 16;
/** Of the largest loss: rounding that depends on the number of rows (measured: below 1e-6) stays under it. */
const SAME = 1e-4;
/** How far from w0 gradients are looked at, in every coordinate, as a share of the weights' root mean square and at the least. */
const BESIDE_SHARE = 0.1;
const BESIDE_LEAST = 0.1;

/** Throws what is wrong. */
export function tryLosses(tf: Tf, model: UserModel, key: RandomKey): void {
  const rows = trialRows(fold(key, "trial"), model.samples);
  const first = lossesOf(tf, model, rows);
  const before = tf.memory().numTensors;
  refuseChange(first, lossesOf(tf, model, rows));
  refuseLeak(tf.memory().numTensors - before);
  refuseNeighbours(tf, model, rows, first);
  refuseGradients(tf, model, rows, first, key);
}

/** Some rows in a mixed order, the last one among them. */
function trialRows(key: RandomKey, samples: number): Int32Array {
  const mixed = permutation(key, { a: 0, b: 0 }, samples).slice(0, TRIAL_ROWS);
  if (!mixed.includes(samples - 1)) mixed[0] = samples - 1;
  return mixed;
}

function weightsOf(tf: Tf, { trained, shapes }: UserModel): readonly Tensor[] {
  return trained.map((values, p) => tf.tensor(values, [...shapes[p]!], "float32"));
}

function lossesOf(tf: Tf, model: UserModel, rows: Int32Array): Float32Array {
  const made = tf.tidy(() => lossesAt(tf, model.losses, weightsOf(tf, model), tf.tensor1d(rows, "int32")));
  const values = made.dataSync<"float32">();
  made.dispose();
  return values;
}

function refuseChange(first: Float32Array, again: Float32Array): void {
  if (isSame(first, again)) return;
  throw lossesError(
    "differ between two calls with the same weights and rows",
    "switch off dropout, noise and running statistics: the loss of a sample is a function of the weights",
  );
}

function refuseLeak(left: number): void {
  if (left <= 0) return;
  throw lossesError(
    `leaves ${left} ${left === 1 ? "tensor" : "tensors"} behind at every call`,
    "take out tf.keep and tf.variable, or make such tensors once, before",
  );
}

/** The same rows backwards, and without the first: no loss may change with it. */
function refuseNeighbours(tf: Tf, model: UserModel, rows: Int32Array, first: Float32Array): void {
  const backwards = lossesOf(tf, model, rows.slice(1).toReversed());
  if (isSame(first.slice(1).toReversed(), backwards)) return;
  throw lossesError(
    "of a sample change with the rows that it is asked for with",
    "element i is the loss of sample rows[i] alone: read data by tf.gather(data, rows); no mean, norm or sort over the batch",
  );
}

function isSame(a: Float32Array, b: Float32Array): boolean {
  const largest = a.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return a.every((value, i) => Math.abs(value - b[i]!) <= SAME * largest);
}

function refuseGradients(tf: Tf, model: UserModel, rows: Int32Array, first: Float32Array, key: RandomKey): void {
  const atTrained = largestGradients(tf, model, rows);
  const wrong = atTrained.findIndex((largest) => !Number.isFinite(largest));
  if (wrong >= 0) {
    throw lossesError(
      `have a gradient by weights[${wrong}] that is not finite at the trained weights`,
      "sqrt, log and norms have none at 0: add a small number inside",
    );
  }
  const moved = { ...model, trained: beside(model.trained, key) };
  const isFlat = [...atTrained, ...largestGradients(tf, moved, rows)].every((largest) => largest === 0);
  if (!isFlat || isSame(first, lossesOf(tf, moved, rows))) return;
  throw lossesError(
    "change with the weights, and their gradient is 0",
    "rounding, signs and counts cannot be followed downhill: give a likelihood, not an accuracy",
  );
}

/** Largest number of each weight's gradient; NaN where one is NaN. */
function largestGradients(tf: Tf, model: UserModel, rows: Int32Array): readonly number[] {
  const largest = tf.tidy(() => {
    const numbers = tf.tensor1d(rows, "int32");
    const dy = tf.div<Tensor1D>(tf.ones([rows.length]), rows.length);
    const { grads } = lossesAndGradients(tf, model.losses, weightsOf(tf, model), numbers, dy);
    return [...grads];
  });
  const sizes = largest.map((gradient) =>
    gradient
      .dataSync<"float32">()
      .reduce((most, value) => (Number.isNaN(value) ? value : Math.max(most, Math.abs(value))), 0),
  );
  tf.dispose(largest);
  return sizes;
}

function beside(trained: readonly Float32Array[], key: RandomKey): readonly Float32Array[] {
  const count = trained.reduce((sum, { length }) => sum + length, 0);
  const squares = trained.reduce((sum, values) => sum + values.reduce((s, value) => s + value * value, 0), 0);
  const distance = Math.max(BESIDE_LEAST, BESIDE_SHARE * Math.sqrt(squares / count));
  return trained.map((values, b) => {
    const uniforms = new Float32Array(values.length);
    fillUniform(fold(key, "trial-beside"), { a: 0, b }, uniforms);
    return values.map((value, i) => value + distance * (2 * uniforms[i]! - 1));
  });
}
