/**
 * The loss surface of a user's own function. Nothing is known of it but its losses, so members cannot be fused: each is evaluated
 * by itself, one after another, and what comes of it is stacked. Members never mix.
 */
import type { Tensor1D } from "@tensorflow/tfjs-core";
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { RowGradients } from "../engine/program.ts";
import { sizeOf } from "../engine/shape.ts";
import { tidied } from "../train/tidied.ts";
import { lossesAndGradients, lossesAt, lossesError, type Losses } from "./user-losses.ts";
import type { Surface, SurfaceBatch, SurfaceEngine } from "./surface.ts";

/** A user's function with the weights that it was trained to. */
export interface UserModel {
  readonly losses: Losses;
  readonly shapes: Surface["shapes"];
  /** w0: one array a weight. */
  readonly trained: readonly Float32Array[];
  /** How many samples there are. */
  readonly samples: number;
}

/** Rows whose losses are taken together where no gradient is. */
const ROWS_AT_ONCE = 4096;

/** Of one cell. Owns no tensors. */
export class UserSurface implements Surface {
  readonly engine: SurfaceEngine;
  readonly shapes: Surface["shapes"];
  readonly dimension: number;
  readonly rows: number;
  readonly positions = 1;
  readonly trained: Surface["trained"];
  readonly #losses: Losses;

  constructor(engine: SurfaceEngine, { losses, shapes, trained, samples }: UserModel) {
    this.engine = engine;
    this.shapes = shapes;
    this.dimension = shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
    this.rows = samples;
    this.trained = [trained];
    this.#losses = losses;
  }

  batch(_cells: readonly number[], rows: Tensor): SurfaceBatch {
    const { tf } = this.engine;
    const count = rows.shape[1]!;
    const { own, dy } = tidied(tf, () => ({
      own: tf.unstack(rows) as readonly Tensor1D[],
      // d/dw of the mean over rows = sum over rows of (1/m) dl/dw.
      dy: tf.div<Tensor1D>(tf.ones([count]), count),
    }));
    return {
      gradients: (weights) => this.#gradients(weights, own, dy),
      dispose: () => tf.dispose([...own, dy]),
    };
  }

  /** Mean loss at the trained weights over all rows. Throws where a row's loss is not finite. */
  baseLoss(): number {
    const { tf } = this.engine;
    const weights = this.trained[0]!.map((values, p) => tf.tensor(values, [...this.shapes[p]!], "float32"));
    let sum = 0;
    try {
      for (let from = 0; from < this.rows; from += ROWS_AT_ONCE) {
        const count = Math.min(ROWS_AT_ONCE, this.rows - from);
        const numbers = Int32Array.from({ length: count }, (_, i) => from + i);
        for (const value of this.#read(weights, numbers)) sum += value;
      }
    } finally {
      tf.dispose(weights);
    }
    return sum / this.rows;
  }

  #read(weights: readonly Tensor[], numbers: Int32Array): Float32Array {
    const { tf } = this.engine;
    const losses = tf.tidy(() => lossesAt(tf, this.#losses, weights, tf.tensor1d(numbers, "int32")));
    const values = losses.dataSync<"float32">();
    losses.dispose();
    const wrong = values.findIndex((value) => !Number.isFinite(value));
    if (wrong < 0) return values;
    const message = `are ${values[wrong]} for sample ${numbers[wrong]} at the trained weights`;
    const hint = "check that sample and the weights, and that `samples` is not above the number that you have";
    throw lossesError(message, hint);
  }

  #gradients(weights: readonly Tensor[], rows: readonly Tensor1D[], dy: Tensor1D): RowGradients {
    const { tf } = this.engine;
    return tidied(tf, () => {
      const byWeight = weights.map((stacked) => tf.unstack(stacked));
      const members = rows.map((own, member) => {
        const point = byWeight.map((each) => each[member]!);
        return lossesAndGradients(tf, this.#losses, point, own, dy);
      });
      return {
        rows: tf.stack(members.map(({ value }) => value)),
        gradients: weights.map((_, p) => tf.stack(members.map(({ grads }) => grads[p]!))),
      };
    });
  }
}
