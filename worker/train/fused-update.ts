/**
 * One training update of all members: regulariser hooks, gradient, optimizer. For each member, with its own
 * hyperparameters and batch B,
 *   g = grad mean_B loss(perturb(w)) + gradient-penalty(w);   w', slots' = optimizer(w, g, slots);   w'' = w' - decay(w).
 *
 * Ownership: the trainer owns weights and slots; a step replaces them and disposes those it replaced, nothing else.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import { optimizerOf } from "../../src/catalogue/registry.ts";
import type { Stack } from "../checkpoint/saved-value.ts";
import { joinStacks, readRows } from "../checkpoint/stacks.ts";
import { MemberVector } from "../engine/member-vector.ts";
import { rowGradients, type Batch, type Program } from "../engine/program.ts";
import { initialWeights } from "./initial-weights.ts";
import { optimizerSlices, type Member } from "./members.ts";
import { SliceUpdate, type SliceState } from "./optimizer-slice.ts";
import { Regularisation } from "./regularisation.ts";
import { tidied } from "./tidied.ts";

/** Weights [K, ...shape] by parameter, and slots [members of a slice, ...shape] by slice, parameter and slot. */
interface FusedState {
  readonly weights: readonly Tensor[];
  readonly slots: readonly SliceState["slots"][];
}

/** One member's weights and optimizer slots, by name of the parameter. */
export interface MemberState {
  readonly weights: Readonly<Record<string, Stack>>;
  readonly slots: Readonly<Record<string, readonly Stack[]>>;
}

/** Owns the weights, slots and hyperparameters of a fused program in training; dispose it. */
export class FusedUpdate {
  readonly members: readonly Member[];
  readonly #program: Program;
  readonly #slices: readonly SliceUpdate[];
  readonly #regularisation: Regularisation;
  readonly #learningRates: MemberVector;
  #state: FusedState;

  private constructor(
    program: Program,
    members: readonly Member[],
    state: (slices: readonly SliceUpdate[]) => FusedState,
  ) {
    const { tf } = program.engine;
    this.#program = program;
    this.members = members;
    this.#slices = optimizerSlices(members).map((slice) => new SliceUpdate(tf, members, slice));
    this.#regularisation = new Regularisation(program, members);
    this.#learningRates = new MemberVector(tf, members.map(learningRateOf));
    // Where memory runs out half-way, nothing stays behind.
    this.#state = tidied(tf, () => state(this.#slices));
  }

  /** Members with their initial weights, drawn from their keys. */
  static start(program: Program, members: readonly Member[]): FusedUpdate {
    return new FusedUpdate(program, members, (slices) => ({
      weights: initialWeights(program, members),
      slots: slices.map((slice) => program.parameters.map(({ shape }) => slice.zeros(shape))),
    }));
  }

  /** Members that go on from these states, one each. */
  static resumed(program: Program, members: readonly Member[], states: readonly MemberState[]): FusedUpdate {
    const { tf } = program.engine;
    const names = program.parameters.map(({ name }) => name);
    const joined = (of: readonly MemberState[], stack: (state: MemberState) => Stack): Tensor =>
      joinStacks(tf, of.map(stack)); // prettier-ignore
    return new FusedUpdate(program, members, (slices) => ({
      weights: names.map((name) => joined(states, ({ weights }) => weights[name]!)),
      slots: slices.map(({ slice: { from, to } }) => {
        const own = states.slice(from, to);
        return names.map((name) => own[0]!.slots[name]!.map((_, i) => joined(own, ({ slots }) => slots[name]![i]!)));
      }),
    }));
  }

  /** Lent: [K, ...shape] by parameter. */
  get weights(): readonly Tensor[] {
    return this.#state.weights;
  }

  /**
   * One update. `step` is 1 at the first, `factor` scales every learning rate. Returns the losses of the batch's rows
   * before the update, [K, R], which the caller owns.
   */
  apply(batch: Batch, step: number, factor: number): Tensor {
    const { tf } = this.#program.engine;
    const before = this.#state;
    const { losses, state } = tidied(tf, () => {
      const targets = this.#regularisation.targets(batch.targets);
      const bend = this.#regularisation.bend(step);
      const { rows, gradients } = rowGradients(this.#program, before.weights, { ...batch, targets }, bend);
      return { losses: rows, state: this.#updated(before, gradients, step, factor) };
    });
    this.#state = state;
    disposeState(before);
    return losses;
  }

  /** The members at these indices, with copies of their weights and slots; `this` stays as it is. */
  keeping(indices: readonly number[]): FusedUpdate {
    const { tf } = this.#program.engine;
    const before = this.#state;
    const kept = indices.map((i) => this.members[i]!);
    return new FusedUpdate(this.#program, kept, (slices) => ({
      weights: before.weights.map((weight) => take(tf, weight, indices)),
      slots: slices.map(({ slice }) => {
        // Members keep their order, so a slice's members come from one slice of before.
        const from = this.#slices.findIndex((old) => old.slice.kind === slice.kind);
        const local = indices.slice(slice.from, slice.to).map((i) => i - this.#slices[from]!.slice.from);
        return before.slots[from]!.map((slots) => slots.map((slot) => take(tf, slot, local)));
      }),
    }));
  }

  /** Weights of one member, read from the device. */
  weightsOf(index: number): readonly Float32Array[] {
    const { tf } = this.#program.engine;
    return this.#state.weights.map((weight) => {
      const own = take(tf, weight, [index]);
      const values = own.dataSync<"float32">().slice();
      own.dispose();
      return values;
    });
  }

  /** Of one member, read from the device. */
  stateOf(index: number): MemberState {
    const { tf } = this.#program.engine;
    const { weights, slots } = this.#state;
    const s = this.#slices.findIndex(({ slice }) => index < slice.to);
    const local = index - this.#slices[s]!.slice.from;
    const named = <T>(of: (p: number) => T): Readonly<Record<string, T>> =>
      Object.fromEntries(this.#program.parameters.map(({ name }, p) => [name, of(p)]));
    return {
      weights: named((p) => readRows(tf, weights[p]!, index, 1)),
      slots: named((p) => slots[s]![p]!.map((slot) => readRows(tf, slot, local, 1))),
    };
  }

  dispose(): void {
    disposeState(this.#state);
    for (const slice of this.#slices) slice.dispose();
    this.#regularisation.dispose();
    this.#learningRates.dispose();
  }

  #updated(before: FusedState, gradients: readonly Tensor[], step: number, factor: number): FusedState {
    const { tf } = this.#program.engine;
    const stacked = {
      weights: before.weights,
      gradients: before.weights.map((weight, p) => this.#regularisation.penalised(weight, gradients[p]!)),
      step,
      factor,
    };
    const parts = this.#slices.map((slice, s) => slice.apply(stacked, before.slots[s]!));
    const weights = before.weights.map((weight, p) => {
      const after = parts.length === 1 ? parts[0]!.weights[p]! : tf.concat(parts.map((part) => part.weights[p]!), 0); // prettier-ignore
      return this.#regularisation.decayed(weight, after, () => tf.mul(this.#learningRates.at(weight.rank), factor));
    });
    return { weights, slots: parts.map(({ slots }) => slots) };
  }
}

const learningRateOf = ({ cell }: Member): number =>
  optimizerOf(cell.config.optimizer).hyperparameters(cell.config.optimizer)["learningRate"]!;

const take = (tf: Tf, tensor: Tensor, indices: readonly number[]): Tensor =>
  tf.tidy(() => tf.gather(tensor, tf.tensor1d([...indices], "int32")));

const tensorsOf = ({ weights, slots }: FusedState): Tensor[] => [...weights, ...slots.flat(2)];

function disposeState(state: FusedState): void {
  for (const tensor of tensorsOf(state)) tensor.dispose();
}
