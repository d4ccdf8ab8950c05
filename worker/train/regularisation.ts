/**
 * What the regularisers of a program's members do in one step: the hooks of `src/catalogue/entry.ts`, each with every
 * member's own strength, 0 for those that use another regulariser.
 */
import type { Tensor, Tensor3D } from "../../src/catalogue/entry.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { NoiseStream } from "../engine/noise.ts";
import type { Bend, Program } from "../engine/program.ts";
import { activeRegularisers, type ActiveRegulariser, type Member } from "./members.ts";

interface Active extends ActiveRegulariser {
  readonly strength: MemberVector;
}

/** Owns the strengths; dispose it. */
export class Regularisation {
  readonly #program: Program;
  readonly #members: readonly Member[];
  readonly #active: readonly Active[];

  constructor(program: Program, members: readonly Member[]) {
    const { tf } = program.engine;
    this.#program = program;
    this.#members = members;
    this.#active = activeRegularisers(members).map((active) => ({
      ...active,
      strength: new MemberVector(tf, active.strengths),
    }));
  }

  /** One-hot targets [K, rows, classes] as the loss shall see them. */
  targets(targets: Tensor3D): Tensor3D {
    const { engine, task } = this.#program;
    const { output } = task;
    if (output.kind === "values") return targets;
    return this.#active.reduce(
      (bent, { regulariser, strength }) =>
        regulariser.targets?.(engine.tf, bent, strength.at(3), output.classes) ?? bent,
      targets,
    );
  }

  /** What bends the forward pass of this step; its hidden activations come in the order of the layers. */
  bend(step: number): Bend {
    let layer = 0;
    return {
      hidden: (activation) => {
        layer += 1;
        return this.#hidden(activation, step, layer - 1);
      },
      weights: (leaves) => leaves.map((leaf, index) => this.#perturbed(leaf, step, index)),
    };
  }

  #hidden(activation: Tensor3D, step: number, layer: number): Tensor3D {
    const { tf, noise } = this.#program.engine;
    return this.#active.reduce((bent, { regulariser, strength, strengths }) => {
      if (regulariser.hidden === undefined) return bent;
      const uniform = noise.uniforms(this.#streams("hidden", strengths, step, layer), bent.shape.slice(1));
      return regulariser.hidden(tf, bent, strength.at(3), uniform as Tensor3D);
    }, activation);
  }

  #perturbed(leaf: Tensor, step: number, index: number): Tensor {
    const { tf, noise } = this.#program.engine;
    return this.#active.reduce((bent, { regulariser, strength, strengths }) => {
      if (regulariser.perturb === undefined) return bent;
      const normal = noise.normals(this.#streams("perturb", strengths, step, index), leaf.shape.slice(1));
      return regulariser.perturb(tf, bent, strength.at(leaf.rank), normal);
    }, leaf);
  }

  /** Draws only for the members that a hook acts on. */
  #streams(
    purpose: "hidden" | "perturb",
    strengths: readonly number[],
    step: number,
    index: number,
  ): readonly (NoiseStream | undefined)[] {
    return this.#members.map(({ keys }, k) =>
      strengths[k] === 0 ? undefined : { key: keys[purpose], a: step, b: index },
    );
  }

  /** The gradient with its penalties. */
  penalised(weight: Tensor, gradient: Tensor): Tensor {
    const { tf } = this.#program.engine;
    return this.#active.reduce((sum, { regulariser, strength }) => {
      const term = regulariser.gradient?.(tf, weight, strength.at(weight.rank));
      return term === undefined ? sum : tf.add(sum, term);
    }, gradient);
  }

  /** The updated weight with its decay. @param learningRate of this step, in the shape that broadcasts over it */
  decayed(before: Tensor, after: Tensor, learningRate: () => Tensor): Tensor {
    const { tf } = this.#program.engine;
    return this.#active.reduce((weight, { regulariser, strength }) => {
      if (regulariser.decay === undefined) return weight;
      return tf.sub(weight, regulariser.decay(tf, before, strength.at(before.rank), learningRate()));
    }, after);
  }

  dispose(): void {
    for (const { strength } of this.#active) strength.dispose();
  }
}
