/**
 * The members of a program that share an optimizer, and their update: by a kernel of our own for all parameters at once, where
 * the backend has one for this optimizer, else by the plain rule of the catalogue, which is the kernel's reference.
 */
import { hasOwnKernel, ownKernel } from "../../src/catalogue/own-kernel.ts";
import type { Optimizer, Tensor, Tf } from "../../src/catalogue/entry.ts";
import { optimizerOf } from "../../src/catalogue/registry.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { Member, OptimizerSlice } from "./members.ts";

/** Weights and slots of the members of a slice, [members, ...shape], by parameter. */
export interface SliceState {
  readonly weights: readonly Tensor[];
  readonly slots: readonly (readonly Tensor[])[];
}

/** One update of the whole program. Everything is lent. */
export interface StackedStep {
  /** [K, ...shape] by parameter. */
  readonly weights: readonly Tensor[];
  readonly gradients: readonly Tensor[];
  /** 1 at the first. */
  readonly step: number;
  /** Of every learning rate. */
  readonly factor: number;
}

/** Owns its hyperparameters; dispose it. */
export class SliceUpdate {
  readonly slice: OptimizerSlice;
  readonly #tf: Tf;
  readonly #optimizer: Optimizer;
  /** [members] by name. */
  readonly #h: Readonly<Record<string, MemberVector>>;

  constructor(tf: Tf, members: readonly Member[], slice: OptimizerSlice) {
    const configs = members.slice(slice.from, slice.to).map(({ cell }) => cell.config.optimizer);
    const optimizer = optimizerOf(configs[0]!);
    const each = configs.map((config) => optimizer.hyperparameters(config));
    const names = Object.keys(each[0]!);
    const vector = (name: string): MemberVector => new MemberVector(tf, each.map((h) => h[name]!)); // prettier-ignore
    this.slice = slice;
    this.#tf = tf;
    this.#optimizer = optimizer;
    this.#h = Object.fromEntries(names.map((name) => [name, vector(name)]));
  }

  /** Slots at the start, for a parameter of this shape. The caller owns them. */
  zeros(shape: readonly number[]): readonly Tensor[] {
    const { from, to } = this.slice;
    return this.#optimizer.slots.map(() => this.#tf.zeros([to - from, ...shape]));
  }

  /** New weights and slots of the slice's members; `slots` are those of before. The caller owns them. */
  apply(stacked: StackedStep, slots: SliceState["slots"]): SliceState {
    const own = hasOwnKernel(this.#tf, kernelName(this.slice.kind));
    return own ? this.#byKernel(stacked, slots) : this.#byRule(stacked, slots);
  }

  dispose(): void {
    for (const vector of Object.values(this.#h)) vector.dispose();
  }

  #byKernel({ weights, gradients, step, factor }: StackedStep, slots: SliceState["slots"]): SliceState {
    const { kind, from } = this.slice;
    const count = this.#optimizer.slots.length;
    const inputs: Record<string, Tensor> = {};
    for (const [name, vector] of Object.entries(this.#h)) inputs[name] = vector.at(1);
    weights.forEach((weight, p) => {
      inputs[`weight${p}`] = weight;
      inputs[`gradient${p}`] = gradients[p]!;
      slots[p]!.forEach((slot, i) => (inputs[`slot${p}.${i}`] = slot));
    });
    const attrs = { parameters: weights.length, slots: count, from, step, factor };
    const made = ownKernel(this.#tf, kernelName(kind), inputs, attrs)!;
    const at = weights.map((_, p) => p * (1 + count));
    return { weights: at.map((i) => made[i]!), slots: at.map((i) => made.slice(i + 1, i + 1 + count)) };
  }

  #byRule({ weights, gradients, step, factor }: StackedStep, slots: SliceState["slots"]): SliceState {
    const updates = weights.map((weight, p) =>
      this.#optimizer.update(this.#tf, {
        weight: this.#cut(weight),
        gradient: this.#cut(gradients[p]!),
        slots: slots[p]!,
        h: this.#hyperparameters(weight.rank, factor),
        step,
      }),
    );
    return {
      weights: updates.map(({ weight }) => weight),
      // A rule may hand a slot back as it was; a copy keeps "replace and dispose" simple.
      slots: updates.map((update) => update.slots.map((slot) => this.#tf.clone(slot))),
    };
  }

  #cut(stacked: Tensor): Tensor {
    const { from, to } = this.slice;
    const [members, ...rest] = stacked.shape;
    if (from === 0 && to === members) return stacked;
    return this.#tf.slice(stacked, [from, ...rest.map(() => 0)], [to - from, ...rest]);
  }

  #hyperparameters(rank: number, factor: number): Readonly<Record<string, Tensor>> {
    const entries = Object.entries(this.#h).map(([name, vector]) => {
      const value = vector.at(rank);
      return [name, name === "learningRate" && factor !== 1 ? this.#tf.mul(value, factor) : value] as const;
    });
    return Object.fromEntries(entries);
  }
}

const kernelName = (kind: string): `Occam${string}` => `OccamUpdate-${kind}`;
