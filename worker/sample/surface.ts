/**
 * A loss surface: the losses of several cells as a sampler sees them. It knows rows, weights and gradients, nothing of models:
 * a cell's network (`program-surface.ts`) and a user's own function (`user-surface.ts`) are both one.
 *
 * A member is one point on one cell's surface (a chain, a probe). Its parameters are the FREE ones; what is held fixed is the
 * surface's own affair. Members never mix.
 */
import type { Tensor } from "../../src/catalogue/entry.ts";
import type { Engine } from "../engine/engine.ts";
import type { RowGradients } from "../engine/program.ts";

/** What a surface needs of an engine. */
export type SurfaceEngine = Pick<Engine, "tf" | "noise" | "memoryBudgetBytes">;

export interface Surface {
  readonly engine: SurfaceEngine;
  /** Of each free parameter, without the member axis. */
  readonly shapes: readonly (readonly number[])[];
  /** d: numbers of all free parameters. */
  readonly dimension: number;
  /** Rows that the losses of a cell are over. */
  readonly rows: number;
  /** Losses that a row has. */
  readonly positions: number;
  /** Trained weights of each cell: one array a free parameter. */
  readonly trained: readonly (readonly Float32Array[])[];
  /**
   * Rows for members of these cells, in their order.
   * @param rows row numbers, int32 [members, m], lent
   */
  batch(cells: readonly number[], rows: Tensor): SurfaceBatch;
}

/** Rows of data for some members. Owns its tensors; dispose it. */
export interface SurfaceBatch {
  /**
   * Losses [members, m x positions] and the gradient of each member's mean loss, [members, ...shape] by parameter.
   * The caller owns both; the weights are lent.
   */
  gradients(weights: readonly Tensor[]): RowGradients;
  dispose(): void;
}

/** Weights of members as stacked tensors, [members, ...shape] by parameter. The caller owns them. */
export function stackWeights(
  { engine, shapes }: Pick<Surface, "engine" | "shapes">,
  members: readonly (readonly Float32Array[])[],
): readonly Tensor[] {
  return shapes.map((shape, p) => {
    const size = members[0]![p]!.length;
    const all = new Float32Array(members.length * size);
    members.forEach((weights, member) => all.set(weights[p]!, member * size));
    return engine.tf.tensor(all, [members.length, ...shape], "float32");
  });
}

/** The weights of each member of stacked tensors, read from the device. */
export function unstackWeights(stacked: readonly Tensor[], members: number): readonly (readonly Float32Array[])[] {
  const values = stacked.map((tensor) => tensor.dataSync<"float32">());
  return Array.from({ length: members }, (_, member) =>
    values.map((all) => {
      const size = all.length / members;
      return all.slice(member * size, (member + 1) * size);
    }),
  );
}

/** The same rows for every member, int32 [members, rows]. The caller owns the tensor. */
export function sameRows({ engine }: Pick<Surface, "engine">, members: number, rows: Int32Array): Tensor {
  const all = new Int32Array(members * rows.length);
  for (let member = 0; member < members; member += 1) all.set(rows, member * rows.length);
  return engine.tf.tensor2d(all, [members, rows.length], "int32");
}
