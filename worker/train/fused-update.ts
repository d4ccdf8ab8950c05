/**
 * One training update of all members: regulariser hooks, gradient, optimizer. For each member, with its own
 * hyperparameters and batch B,
 *   g = grad mean_B loss(perturb(w)) + gradient-penalty(w);   w', slots' = optimizer(w, g, slots);   w'' = w' - decay(w).
 *
 * Ownership: the trainer owns weights and slots; a step replaces them and disposes those it replaced, nothing else.
 */
import type { Optimizer, Tensor, Tensor3D } from "../../src/catalogue/entry.ts";
import { optimizerOf } from "../../src/catalogue/registry.ts";
import { MemberVector } from "../engine/member-vector.ts";
import { rowGradients, type Batch, type Bend, type Program } from "../engine/program.ts";
import {
  activeRegularisers,
  optimizerSlices,
  type ActiveRegulariser,
  type Member,
  type OptimizerSlice,
} from "./members.ts";

interface Slice extends OptimizerSlice {
  readonly optimizer: Optimizer;
  readonly h: Readonly<Record<string, MemberVector>>;
}

interface Penalty extends ActiveRegulariser {
  readonly strength: MemberVector;
}

/** Weights [K, ...shape] by parameter, and slots [members of a slice, ...shape] by slice, parameter and slot. */
interface FusedState {
  readonly weights: readonly Tensor[];
  readonly slots: readonly (readonly (readonly Tensor[])[])[];
}

/** Owns the weights, slots and hyperparameters of a fused program in training; dispose it. */
export class FusedUpdate {
  readonly members: readonly Member[];
  readonly #program: Program;
  readonly #slices: readonly Slice[];
  readonly #penalties: readonly Penalty[];
  readonly #learningRates: MemberVector;
  #state: FusedState;

  private constructor(program: Program, members: readonly Member[], state: (slices: readonly Slice[]) => FusedState) {
    const { tf } = program.engine;
    this.#program = program;
    this.members = members;
    this.#slices = optimizerSlices(members).map((slice) => sliceOf(program, members, slice));
    this.#penalties = activeRegularisers(members).map((active) => ({
      ...active,
      strength: new MemberVector(tf, active.strengths),
    }));
    this.#learningRates = new MemberVector(tf, members.map(learningRateOf));
    this.#state = state(this.#slices);
  }

  /** Members with their initial weights, drawn from their keys. */
  static start(program: Program, members: readonly Member[]): FusedUpdate {
    return new FusedUpdate(program, members, (slices) => initialState(program, members, slices));
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
    const applied = { rows: undefined as Tensor | undefined, state: before };
    tf.tidy(() => {
      const targets = this.#targets(batch.targets);
      const { rows, gradients } = rowGradients(this.#program, before.weights, { ...batch, targets }, this.#bend(step));
      applied.rows = rows;
      applied.state = this.#updated(before, gradients, step, factor);
      return [rows, ...tensorsOf(applied.state)];
    });
    this.#state = applied.state;
    disposeState(before);
    return applied.rows!;
  }

  /** The members at these indices, with copies of their weights and slots; `this` stays as it is. */
  keeping(indices: readonly number[]): FusedUpdate {
    const { tf } = this.#program.engine;
    const before = this.#state;
    const kept = indices.map((i) => this.members[i]!);
    return new FusedUpdate(this.#program, kept, (slices) => ({
      weights: before.weights.map((weight) => take(tf, weight, indices)),
      slots: slices.map((slice) => {
        // Members keep their order, so a slice's members come from one slice of before.
        const from = this.#slices.findIndex(({ kind }) => kind === slice.kind);
        const local = indices.slice(slice.from, slice.to).map((i) => i - this.#slices[from]!.from);
        return before.slots[from]!.map((slots) => slots.map((slot) => take(tf, slot, local)));
      }),
    }));
  }

  /** Weights of one member, read from the device. */
  weightsOf(index: number): readonly Float32Array[] {
    const { tf } = this.#program.engine;
    return this.#state.weights.map((weight) =>
      tf.tidy(() => Float32Array.from(tf.gather(weight, tf.tensor1d([index], "int32")).dataSync())),
    );
  }

  dispose(): void {
    disposeState(this.#state);
    for (const { h } of this.#slices) for (const vector of Object.values(h)) vector.dispose();
    for (const { strength } of this.#penalties) strength.dispose();
    this.#learningRates.dispose();
  }

  #targets(targets: Tensor3D): Tensor3D {
    const { tf } = this.#program.engine;
    const { output } = this.#program.task;
    if (output.kind === "values") return targets;
    return this.#penalties.reduce(
      (bent, { regulariser, strength }) => regulariser.targets?.(tf, bent, strength.at(3), output.classes) ?? bent,
      targets,
    );
  }

  #bend(step: number): Bend {
    const { tf, noise } = this.#program.engine;
    let layer = 0;
    const hidden = (activation: Tensor3D): Tensor3D => {
      const index = layer;
      layer += 1;
      return this.#penalties.reduce((bent, { regulariser, strength, strengths }) => {
        if (regulariser.hidden === undefined) return bent;
        const streams = this.#streams("hidden", strengths, step, index);
        const uniform = noise.uniforms(streams, bent.shape.slice(1));
        return regulariser.hidden(tf, bent, strength.at(3), uniform as Tensor3D);
      }, activation);
    };
    const weights = (leaves: readonly Tensor[]): readonly Tensor[] =>
      leaves.map((leaf, index) =>
        this.#penalties.reduce((bent, { regulariser, strength, strengths }) => {
          if (regulariser.perturb === undefined) return bent;
          const streams = this.#streams("perturb", strengths, step, index);
          const normal = noise.normals(streams, leaf.shape.slice(1));
          return regulariser.perturb(tf, bent, strength.at(leaf.rank), normal);
        }, leaf),
      );
    return { hidden, weights };
  }

  /** Draws only for the members that a hook acts on. */
  #streams(purpose: "hidden" | "perturb", strengths: readonly number[], step: number, index: number) {
    return this.members.map((member, k) =>
      strengths[k] === 0 ? undefined : { key: member.keys[purpose], a: step, b: index },
    );
  }

  #updated(before: FusedState, gradients: readonly Tensor[], step: number, factor: number): FusedState {
    const { tf } = this.#program.engine;
    const slots: Tensor[][][] = this.#slices.map(() => []);
    const weights = before.weights.map((weight, p) => {
      const gradient = this.#penalised(weight, gradients[p]!);
      const parts = this.#slices.map((slice, s) => {
        const cut = (tensor: Tensor): Tensor => sliceMembers(tf, tensor, slice, this.members.length);
        const update = slice.optimizer.update(tf, {
          weight: cut(weight),
          gradient: cut(gradient),
          slots: before.slots[s]![p]!,
          h: hyperparametersAt(tf, slice.h, weight.rank, factor),
          step,
        });
        // An update may hand a slot back as it was; a copy keeps "replace and dispose" simple.
        slots[s]!.push(update.slots.map((slot) => tf.clone(slot)));
        return update.weight;
      });
      return this.#decayed(weight, parts.length === 1 ? parts[0]! : tf.concat(parts, 0), factor);
    });
    return { weights, slots };
  }

  #penalised(weight: Tensor, gradient: Tensor): Tensor {
    const { tf } = this.#program.engine;
    return this.#penalties.reduce((sum, { regulariser, strength }) => {
      const term = regulariser.gradient?.(tf, weight, strength.at(weight.rank));
      return term === undefined ? sum : tf.add(sum, term);
    }, gradient);
  }

  #decayed(before: Tensor, after: Tensor, factor: number): Tensor {
    const { tf } = this.#program.engine;
    return this.#penalties.reduce((weight, { regulariser, strength }) => {
      if (regulariser.decay === undefined) return weight;
      const learningRate = scaled(tf, this.#learningRates.at(before.rank), factor);
      return tf.sub(weight, regulariser.decay(tf, before, strength.at(before.rank), learningRate));
    }, after);
  }
}

type Tf = Program["engine"]["tf"];

const learningRateOf = ({ cell }: Member): number =>
  optimizerOf(cell.config.optimizer).hyperparameters(cell.config.optimizer)["learningRate"]!;

function sliceOf(program: Program, members: readonly Member[], slice: OptimizerSlice): Slice {
  const inside = members.slice(slice.from, slice.to).map(({ cell }) => cell.config.optimizer);
  const optimizer = optimizerOf(inside[0]!);
  const each = inside.map((config) => optimizer.hyperparameters(config));
  const names = Object.keys(each[0]!);
  const vector = (name: string): MemberVector => new MemberVector(program.engine.tf, each.map((h) => h[name]!)); // prettier-ignore
  return { ...slice, optimizer, h: Object.fromEntries(names.map((name) => [name, vector(name)])) };
}

function initialState(program: Program, members: readonly Member[], slices: readonly Slice[]): FusedState {
  const { tf } = program.engine;
  const zeros = (slice: Slice, shape: readonly number[]): readonly Tensor[] =>
    slice.optimizer.slots.map(() => tf.zeros([slice.to - slice.from, ...shape]));
  return {
    weights: initialWeights(program, members),
    slots: slices.map((slice) => program.parameters.map(({ shape }) => zeros(slice, shape))),
  };
}

/** Initial weights [K, ...shape]. The caller owns them. */
export function initialWeights(program: Program, members: readonly Member[]): readonly Tensor[] {
  const { tf, noise } = program.engine;
  return program.parameters.map(({ shape, initial }, index) =>
    tf.tidy(() => {
      if (initial.kind === "constant") return tf.mul(tf.ones([members.length, ...shape]), initial.value);
      const streams = members.map(({ keys }) => ({ key: keys.initial, a: 0, b: index }));
      return tf.mul(noise.normals(streams, shape), initial.std);
    }),
  );
}

function sliceMembers(tf: Tf, tensor: Tensor, { from, to }: OptimizerSlice, members: number): Tensor {
  if (from === 0 && to === members) return tensor;
  const rest = tensor.shape.slice(1);
  return tf.slice(tensor, [from, ...rest.map(() => 0)], [to - from, ...rest]);
}

function hyperparametersAt(tf: Tf, h: Slice["h"], rank: number, factor: number): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    Object.entries(h).map(([name, vector]) => [
      name,
      name === "learningRate" ? scaled(tf, vector.at(rank), factor) : vector.at(rank),
    ]),
  );
}

const scaled = (tf: Tf, learningRate: Tensor, factor: number): Tensor =>
  factor === 1 ? learningRate : tf.mul(learningRate, factor);

const take = (tf: Tf, tensor: Tensor, indices: readonly number[]): Tensor =>
  tf.tidy(() => tf.gather(tensor, tf.tensor1d([...indices], "int32")));

const tensorsOf = ({ weights, slots }: FusedState): Tensor[] => [...weights, ...slots.flat(2)];

function disposeState(state: FusedState): void {
  for (const tensor of tensorsOf(state)) tensor.dispose();
}
