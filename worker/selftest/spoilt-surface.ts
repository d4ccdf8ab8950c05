/** Loss surfaces that are wrong on purpose, as users' models and number formats are: what the verdicts must notice. */
import type { Tensor } from "../../src/catalogue/entry.ts";
import { fillUniform, type RandomKey } from "../../src/core/random.ts";
import type { RowGradients } from "../engine/program.ts";
import type { Surface, SurfaceBatch } from "../sample/surface.ts";

/** What is done to a gradient call. Owns the result it is given, and gives one that the caller owns. */
type Spoil = (weights: readonly Tensor[], honest: (weights: readonly Tensor[]) => RowGradients) => RowGradients;

/** A surface whose every batch is spoilt. */
export function spoiltSurface(surface: Surface, spoil: Spoil): Surface {
  return {
    engine: surface.engine,
    shapes: surface.shapes,
    dimension: surface.dimension,
    rows: surface.rows,
    positions: surface.positions,
    trained: surface.trained,
    batch: (cells, rows): SurfaceBatch => {
      const batch = surface.batch(cells, rows);
      return {
        gradients: (weights) => spoil(weights, (own) => batch.gradients(own)),
        dispose: () => batch.dispose(),
      };
    },
  };
}

/** 2^13 + 1: of float32's 24 bits, what is split off are the 11 of half precision (Veltkamp 1968). */
const SPLITTER = 8193;

/** To the significand of half precision; its range is not imitated. */
function toHalf({ engine: { tf } }: Surface, x: Tensor): Tensor {
  return tf.tidy(() => {
    const scaled = tf.mul(x, SPLITTER);
    return tf.sub(scaled, tf.sub(scaled, x));
  });
}

/** Weights are stored in half precision. */
export function halfWeights(surface: Surface): Spoil {
  return (weights, honest) => {
    const rounded = weights.map((tensor) => toHalf(surface, tensor));
    const result = honest(rounded);
    surface.engine.tf.dispose([...rounded]);
    return result;
  };
}

/** Losses are computed in half precision. */
export function halfLosses(surface: Surface): Spoil {
  return (weights, honest) => {
    const { rows, gradients } = honest(weights);
    const rounded = toHalf(surface, rows);
    rows.dispose();
    return { rows: rounded, gradients };
  };
}

/** Dropout left on: weights are dropped anew at every call, those that stay are scaled up. */
export function dropped(surface: Surface, rate: number, key: RandomKey): Spoil {
  const { tf } = surface.engine;
  const calls = { count: 0 };
  return (weights, honest) => {
    calls.count += 1;
    const masks = weights.map((tensor, b) => {
      const uniforms = new Float32Array(tensor.size);
      fillUniform(key, { a: calls.count, b }, uniforms);
      return tf.tensor(uniforms.map((u) => (u < rate ? 0 : 1 / (1 - rate))), tensor.shape); // prettier-ignore
    });
    const bent = weights.map((tensor, b) => tf.mul(tensor, masks[b]!));
    const { rows, gradients } = honest(bent);
    const chained = gradients.map((gradient, b) => tf.mul(gradient, masks[b]!));
    tf.dispose([...masks, ...bent, ...gradients]);
    return { rows, gradients: chained };
  };
}

/** Losses are NaN where the first parameter's first number is above a limit. */
export function notANumberAbove(surface: Surface, limit: number): Spoil {
  const { tf } = surface.engine;
  return (weights, honest) => {
    const { rows, gradients } = honest(weights);
    const spoilt = tf.tidy(() => {
      const [members] = weights[0]!.shape as [number];
      const first = tf.slice(tf.reshape(weights[0]!, [members, -1]), [0, 0], [members, 1]);
      // (x - x) / 0 would be 0 / 0: NaN where above, x / 1 elsewhere.
      const above = tf.cast(tf.greater(first, limit), "float32");
      const poison = tf.div(above, tf.mul(above, 0));
      return tf.where(tf.cast(tf.broadcastTo(above, rows.shape), "bool"), tf.broadcastTo(poison, rows.shape), rows);
    });
    rows.dispose();
    return { rows: spoilt, gradients };
  };
}
