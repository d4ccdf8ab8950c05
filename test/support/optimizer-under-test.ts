/** An optimizer on one stacked weight: K members with hyperparameters of their own, as the engine calls it. */
import type { Config, Optimizer, Scalar, Tensor, Tf } from "../../src/catalogue/entry.ts";
import { perMember, stack, unstack, type Stack } from "./stacked.ts";

/** Three configurations that differ in every number that the optimizer has. */
export function threeConfigs(optimizer: Optimizer): readonly Config[] {
  const defaults = optimizer.schema.parse({}) as Record<string, Scalar>;
  return [0, 1, 2].map((member) => {
    const fields = Object.entries(defaults).map(([field, value], index) => {
      if (typeof value !== "number") return [field, value];
      // Shares of the past stay below 1; a default of 0 is moved away from it.
      return [field, value === 0 ? 0.05 * member : value * (1 - 0.15 * ((member + index) % 3))];
    });
    return { kind: optimizer.kind, ...optimizer.schema.parse(Object.fromEntries(fields)) };
  });
}

export interface Trajectory {
  /** Weights of each member after each update. */
  readonly weights: readonly Stack[];
  /** Slots of each member after the last update, by slot. */
  readonly slots: readonly Stack[];
}

export interface Descent {
  readonly configs: readonly Config[];
  readonly shape: readonly number[];
  readonly start: Stack;
  readonly steps: number;
  /** The gradient of each member at update t = 1, 2, ..., where its weights are `weights`. */
  gradient(t: number, weights: Stack): Stack;
}

function hyperparametersOf(tf: Tf, optimizer: Optimizer, configs: readonly Config[], rank: number) {
  const values = configs.map((config) => optimizer.hyperparameters(config));
  const tensors: Record<string, Tensor> = {};
  for (const name of Object.keys(values[0]!)) {
    tensors[name] = perMember(
      tf,
      values.map((member) => member[name]!),
      rank,
    );
  }
  return tensors;
}

export function descend(tf: Tf, optimizer: Optimizer, descent: Descent): Trajectory {
  const { configs, shape, start, steps } = descent;
  return tf.tidy(() => {
    const h = hyperparametersOf(tf, optimizer, configs, shape.length + 1);
    let weight = stack(tf, start, shape);
    let slots: readonly Tensor[] = optimizer.slots.map(() => tf.zerosLike(weight));
    const weights: Stack[] = [];
    for (let step = 1; step <= steps; step += 1) {
      const gradient = stack(tf, descent.gradient(step, unstack(weight)), shape);
      ({ weight, slots } = optimizer.update(tf, { weight, gradient, slots, h, step }));
      weights.push(unstack(weight));
    }
    return { weights, slots: slots.map(unstack) } as never;
  });
}
