/** Loss surfaces that are a formula of their weights, so that what chains on them should read is known in closed form. */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { RowGradients } from "../../worker/engine/program.ts";
import type { Surface, SurfaceBatch, SurfaceEngine } from "../../worker/sample/surface.ts";

export interface Potential {
  readonly shapes: readonly (readonly number[])[];
  /** Losses [members] and gradients [members, ...shape] by parameter, of weights stacked alike. */
  at(tf: Tf, weights: readonly Tensor[]): { readonly loss: Tensor; readonly gradients: readonly Tensor[] };
}

/** The sum of all numbers but those of the member axis. */
const total = (tf: Tf, tensor: Tensor): Tensor => tf.sum(tf.reshape(tensor, [tensor.shape[0], -1]), -1);

/** 1/2 sum_i h_i w_i^2 */
export function bowl(curvatures: readonly number[]): Potential {
  return {
    shapes: [[curvatures.length]],
    at: (tf, [w]) => {
      const slope = tf.mul(w!, tf.tensor1d([...curvatures]));
      return { loss: tf.mul(0.5, total(tf, tf.mul(w!, slope))), gradients: [slope] };
    },
  };
}

/** sum_i w_i^4 over two parameters, [2, side] and [side]. */
export function quartic(side: number): Potential {
  return {
    shapes: [[2, side], [side]],
    at: (tf, weights) => {
      const squares = weights.map((w) => tf.square(w));
      const [first, second] = squares.map((square) => total(tf, tf.square(square)));
      return {
        loss: tf.add(first!, second!),
        gradients: weights.map((w, p) => tf.mul(4, tf.mul(squares[p]!, w))),
      };
    },
  };
}

/** a^2 b^2, two parameters of one number each. */
export const crossing: Potential = {
  shapes: [[1], [1]],
  at: (tf, [a, b]) => {
    const [aa, bb] = [tf.square(a!), tf.square(b!)];
    const gradients = [tf.mul(2, tf.mul(a!, bb)), tf.mul(2, tf.mul(b!, aa))];
    return { loss: total(tf, tf.mul(aa, bb)), gradients };
  },
};

/** Of a potential, infinite beyond |w| = radius in the first parameter. */
export function walled(potential: Potential, radius: number): Potential {
  return {
    shapes: potential.shapes,
    at: (tf, weights) => {
      const { loss, gradients } = potential.at(tf, weights);
      const outside = tf.greater(total(tf, tf.square(weights[0]!)), radius ** 2);
      return { loss: tf.where(outside, tf.fill(loss.shape, Number.POSITIVE_INFINITY), loss), gradients };
    },
  };
}

export interface AnalyticSurface extends Surface {
  /** Gradients that each member has been asked for since it was made. */
  readonly evaluations: number;
}

/**
 * One row and one position; cell c's loss is scales[c] times the potential.
 * @param scales NaN makes a cell that is lost
 */
export function analyticSurface(
  engine: SurfaceEngine,
  potential: Potential,
  scales: readonly number[] = [1],
): AnalyticSurface {
  const { tf } = engine;
  const sizes = potential.shapes.map((shape) => shape.reduce((product, length) => product * length, 1));
  const surface = {
    engine,
    shapes: potential.shapes,
    dimension: sizes.reduce((sum, size) => sum + size, 0),
    rows: 1,
    positions: 1,
    trained: scales.map(() => sizes.map((size) => new Float32Array(size))),
    evaluations: 0,
    batch: (cells: readonly number[]): SurfaceBatch => {
      const scale = tf.tensor1d(cells.map((cell) => scales[cell]!)); // prettier-ignore
      const gradients = (weights: readonly Tensor[]): RowGradients => {
        surface.evaluations += 1;
        return evaluate(tf, potential, weights, scale);
      };
      return { gradients, dispose: () => scale.dispose() };
    },
  };
  return surface;
}

function evaluate(tf: Tf, potential: Potential, weights: readonly Tensor[], scale: Tensor): RowGradients {
  const [rows, ...gradients] = tf.tidy(() => {
    const { loss, gradients } = potential.at(tf, weights);
    const scaled = gradients.map((gradient) => {
      const shape = [scale.size, ...Array.from({ length: gradient.rank - 1 }, () => 1)];
      return tf.mul(gradient, tf.reshape(scale, shape));
    });
    return [tf.reshape(tf.mul(loss, scale), [scale.size, 1]), ...scaled];
  });
  return { rows, gradients };
}
