/**
 * What a user of TensorFlow.js writes to train one network: variables, two-dimensional products, `tf.variableGrads` and
 * `tf.train.adam`. The baseline of `shipped`; nothing here is ours.
 */
import type { Rank, Scalar, Tensor2D, Variable } from "@tensorflow/tfjs-core";
import type { Tf } from "../../src/catalogue/entry.ts";

/** A tanh network on random rows; call it for one update. */
export interface PlainNetwork {
  step(): void;
  dispose(): void;
}

export function plainNetwork(tf: Tf, units: readonly number[], rows: number, batch: number): PlainNetwork {
  const x = tf.randomNormal<Rank.R2>([rows, units[0]!]);
  const y = tf.randomNormal<Rank.R2>([rows, units.at(-1)!]);
  const weights: Variable<Rank.R2>[] = [];
  const biases: Variable[] = [];
  for (let layer = 1; layer < units.length; layer += 1) {
    const shape: [number, number] = [units[layer - 1]!, units[layer]!];
    weights.push(tf.variable(tf.randomNormal<Rank.R2>(shape, 0, 1 / Math.sqrt(shape[0]))));
    biases.push(tf.variable(tf.zeros([units[layer]!])));
  }
  const optimizer = tf.train.adam(1e-3);
  const forward = (input: Tensor2D): Tensor2D =>
    weights.reduce((a, weight, layer) => {
      const z = tf.add<Tensor2D>(tf.matMul(a, weight), biases[layer]!);
      return layer < weights.length - 1 ? tf.tanh(z) : z;
    }, input);
  return {
    step() {
      tf.tidy(() => {
        const indices = tf.randomUniform<Rank.R1>([batch], 0, rows, "int32");
        const [input, target] = [tf.gather(x, indices), tf.gather(y, indices)];
        const loss = (): Scalar => tf.mul(0.5, tf.mean(tf.square(tf.sub(forward(input), target))));
        const { value, grads } = tf.variableGrads(loss);
        optimizer.applyGradients(grads as Parameters<typeof optimizer.applyGradients>[0]);
        value.dataSync();
      });
    },
    dispose() {
      optimizer.dispose();
      tf.dispose([x, y, ...weights, ...biases]);
    },
  };
}
