/**
 * The loss surface of trained cells of one fused program, in eval mode and without penalties.
 *
 *   loss         the training loss: what targets say
 *   behavioural  the distance to the network's own outputs z0 at its trained weights, over a declared set of inputs, whose
 *                minimum there is exactly 0 (Bushnaq et al., arXiv 2405.10927):
 *                  mse  1/2 |z - z0|^2 on values or logits
 *                  kl   KL(softmax z0, softmax z), as cross-entropy against softmax z0: the entropy of z0 cancels in every
 *                       paired difference
 *
 * Parameters may be held at their trained values, and rows left out: the refined learning coefficients of Wang et al.,
 * arXiv 2410.02984.
 */
import type { Tensor, Tensor3D } from "../../src/catalogue/entry.ts";
import { outputWidth } from "../../src/catalogue/entry.ts";
import { evaluationRows } from "../../src/spec/memory.ts";
import { outputsOf, rowLosses, sharesOfRows, type Batch, type Program, type RowGradients } from "../engine/program.ts";
import { crossEntropy, squaredError } from "../engine/row-loss.ts";
import { sizeOf } from "../engine/shape.ts";
import type { FusedData, Split } from "../train/fused-data.ts";
import { tidied } from "../train/tidied.ts";
import { stackWeights, type Surface, type SurfaceBatch } from "./surface.ts";

/** A trained cell. */
export interface SurfaceCell {
  /** Which of the program's datasets it reads. */
  readonly dataset: number;
  /** One array a parameter, all of them. */
  readonly weights: readonly Float32Array[];
}

export type Distance = "loss" | "mse" | "kl";

export interface SurfaceOptions {
  readonly distance: Distance;
  readonly split: Split;
  /** Indices of the free parameters; all by default. */
  readonly free?: readonly number[];
  /** Rows of the split that each cell's losses are over, as many for each; all by default. */
  readonly rows?: readonly Int32Array[];
}

/** Owns its tables; dispose it. */
export class ProgramSurface implements Surface {
  readonly engine: Program["engine"];
  readonly shapes: Surface["shapes"];
  readonly dimension: number;
  readonly rows: number;
  readonly positions: number;
  readonly trained: Surface["trained"];
  readonly #program: Program;
  readonly #data: FusedData;
  readonly #cells: readonly SurfaceCell[];
  readonly #options: SurfaceOptions;
  readonly #free: readonly number[];
  /** Trained weights, [cells, ...shape] by parameter: of those that are held only. */
  readonly #held: ReadonlyMap<number, Tensor>;
  /** Row numbers in the split, int32 [cells, rows]; undefined: all of them. */
  readonly #chosen: Tensor | undefined;
  /** softmax z0 or z0, [cells x rows of the split, positions x width]. */
  readonly #own: Tensor | undefined;

  constructor(program: Program, data: FusedData, cells: readonly SurfaceCell[], options: SurfaceOptions) {
    const { tf } = program.engine;
    this.engine = program.engine;
    this.positions = program.positions;
    this.#program = program;
    this.#data = data;
    this.#cells = cells;
    this.#options = options;
    this.#free = options.free ?? program.parameters.map((_, p) => p);
    this.shapes = this.#free.map((p) => program.parameters[p]!.shape);
    this.dimension = this.shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
    this.rows = options.rows?.[0]?.length ?? data.rows(options.split);
    this.trained = cells.map(({ weights }) => this.#free.map((p) => weights[p]!));
    const stacked = stackWeights({ engine: program.engine, shapes: program.parameters.map(({ shape }) => shape) }, cells.map(({ weights }) => weights)); // prettier-ignore
    this.#own = options.distance === "loss" ? undefined : this.#ownOutputs(stacked);
    this.#chosen = options.rows && tf.tensor2d(joined(options.rows), [cells.length, this.rows], "int32");
    const isFree = new Set(this.#free);
    stacked.forEach((tensor, p) => isFree.has(p) && tensor.dispose());
    this.#held = new Map([...stacked.entries()].filter(([p]) => !isFree.has(p)));
  }

  batch(cells: readonly number[], rows: Tensor): SurfaceBatch {
    const { tf } = this.engine;
    const { input, targets, held } = tidied(tf, () => this.#taken(cells, rows));
    const gradients = (weights: readonly Tensor[]): RowGradients => this.#gradients(weights, { input, targets }, held);
    return { gradients, dispose: () => tf.dispose([input, targets, ...held]) };
  }

  dispose(): void {
    const { tf } = this.engine;
    for (const tensor of [...this.#held.values(), this.#chosen, this.#own])
      if (tensor !== undefined) tf.dispose(tensor);
  }

  /** Inside a tidy. */
  #taken(cells: readonly number[], rows: Tensor): Batch & { readonly held: readonly Tensor[] } {
    const { tf } = this.engine;
    const of = tf.tensor1d([...cells], "int32");
    const held = [...this.#held.values()].map((tensor) => tf.gather(tensor, of));
    const split = this.#chosen === undefined ? rows : this.#splitRows(this.#chosen, of, rows);
    const datasets = cells.map((cell) => this.#cells[cell]!.dataset);
    const batch = this.#data.take(this.#options.split, datasets, split);
    if (this.#own === undefined) return { ...batch, held };
    return { input: batch.input, targets: this.#ownTargets(this.#own, of, split), held };
  }

  /** Row numbers of the split for row numbers of the cell's choice. */
  #splitRows(chosen: Tensor, of: Tensor, rows: Tensor): Tensor {
    const { tf } = this.engine;
    const flat = tf.add(rows, tf.mul(tf.expandDims(of, 1), tf.scalar(this.rows, "int32")));
    return tf.gather(tf.reshape(chosen, [-1]), flat);
  }

  #ownTargets(own: Tensor, of: Tensor, rows: Tensor): Tensor3D {
    const { tf } = this.engine;
    const each = this.#data.rows(this.#options.split);
    const flat = tf.add(rows, tf.mul(tf.expandDims(of, 1), tf.scalar(each, "int32")));
    const [members, count] = rows.shape as [number, number];
    return tf.reshape(tf.gather(own, flat), [members, count * this.positions, -1]);
  }

  #gradients(free: readonly Tensor[], { input, targets }: Batch, held: readonly Tensor[]): RowGradients {
    const { tf } = this.engine;
    return tf.tidy(() => {
      const losses = (...leaves: Tensor[]): Tensor => {
        const outputs = outputsOf(this.#program, this.#whole(leaves, held), input);
        return this.#loss(outputs, targets);
      };
      const { value, grads } = tf.valueAndGrads(losses)([...free], sharesOfRows(tf, targets));
      return { rows: value, gradients: grads };
    });
  }

  #loss(outputs: Tensor3D, targets: Tensor3D): Tensor {
    switch (this.#options.distance) {
      case "loss":
        return rowLosses(this.#program, outputs, targets);
      case "mse":
        return squaredError(this.engine.tf, outputs, targets);
      case "kl":
        return crossEntropy(this.engine.tf, outputs, targets);
    }
  }

  /** All parameters, in their order. */
  #whole(free: readonly Tensor[], held: readonly Tensor[]): readonly Tensor[] {
    if (held.length === 0) return free;
    const all = new Map<number, Tensor>([...this.#held.keys()].map((p, i) => [p, held[i]!]));
    this.#free.forEach((p, i) => all.set(p, free[i]!));
    return this.#program.parameters.map((_, p) => all.get(p)!);
  }

  #ownOutputs(stacked: readonly Tensor[]): Tensor {
    const { tf } = this.engine;
    const { split, distance } = this.#options;
    const total = this.#data.rows(split);
    const chunk = evaluationRows(this.#program);
    const datasets = this.#cells.map(({ dataset }) => dataset);
    const width = this.positions * outputWidth(this.#program.task.output);
    return tf.tidy(() => {
      const parts: Tensor[] = [];
      for (let from = 0; from < total; from += chunk) {
        const rows = Math.min(chunk, total - from);
        const numbers = Int32Array.from({ length: rows * datasets.length }, (_, i) => from + (i % rows));
        parts.push(
          tf.tidy(() => {
            const { input } = this.#data.gather(split, datasets, numbers);
            const outputs = outputsOf(this.#program, stacked, input);
            const own = distance === "kl" ? tf.softmax(outputs) : outputs;
            return tf.reshape(own, [datasets.length, rows, width]);
          }),
        );
      }
      return tf.reshape(tf.concat(parts, 1), [datasets.length * total, width]);
    });
  }
}

function joined(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return all;
}
