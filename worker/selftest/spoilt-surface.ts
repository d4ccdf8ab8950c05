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

/** Losses are NaN farther from w0 than a radius. */
export function notANumberBeyond(surface: Surface, radius: number): Spoil {
  const { tf } = surface.engine;
  const anchor = surface.trained[0]!;
  return (weights, honest) => {
    const { rows, gradients } = honest(weights);
    const spoilt = tf.tidy(() => {
      const [members] = weights[0]!.shape as [number];
      const squares = weights.map((tensor, p) => {
        const difference = tf.sub(tf.reshape(tensor, [members, -1]), tf.tensor1d(anchor[p]!));
        return tf.sum(tf.square(difference), 1, true);
      });
      const beyond = tf.cast(tf.greater(tf.addN([...squares]), radius ** 2), "float32");
      // 0 / 0 beyond, 0 / 1 within.
      const poison = tf.div(tf.zerosLike(beyond), tf.sub(1, beyond));
      return tf.add(rows, poison);
    });
    rows.dispose();
    return { rows: spoilt, gradients };
  };
}
