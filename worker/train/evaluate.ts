/**
 * Loss and accuracy over a whole split, without regularisers. Rows are visited in fixed chunks whose size depends on the
 * task alone, and summed in double precision in their order, so that a member's numbers do not depend on its neighbours.
 */
import type { Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import { ownKernel } from "../../src/catalogue/own-kernel.ts";
import { evaluationRows } from "../../src/spec/memory.ts";
import { outputsOf, rowLosses, type Program } from "../engine/program.ts";
import type { FusedData, Split } from "./fused-data.ts";
import { tidied } from "./tidied.ts";

export interface Evaluation {
  /** Mean over rows and positions, nats (or squared error / 2). Not finite when a row's is not. */
  readonly loss: number;
  /** Share of positions whose most likely class is the target; null for regression. */
  readonly accuracy: number | null;
}

/** One evaluation for each member; `datasets[k]` is the dataset that member k reads. */
export function evaluate(
  program: Program,
  data: FusedData,
  split: Split,
  weights: readonly Tensor[],
  datasets: readonly number[],
): readonly Evaluation[] {
  const total = data.rows(split);
  const chunk = evaluationRows(program);
  const losses = datasets.map(() => 0);
  const hits = datasets.map(() => 0);
  for (let from = 0; from < total; from += chunk) {
    const rows = Math.min(chunk, total - from);
    const part = evaluateRows(program, data, split, weights, datasets, from, rows);
    addUp(part.losses, losses);
    part.hits?.forEach((count, k) => (hits[k]! += count));
  }
  const samples = total * program.positions;
  const classes = program.task.output.kind === "classes";
  return datasets.map((_, k) => ({ loss: losses[k]! / samples, accuracy: classes ? hits[k]! / samples : null }));
}

/** Losses of the rows [from, from + rows) of each member, [K x rows x positions], and how many classes each has right, [K]. */
function evaluateRows(
  program: Program,
  data: FusedData,
  split: Split,
  weights: readonly Tensor[],
  datasets: readonly number[],
  from: number,
  rows: number,
): { readonly losses: Float32Array; readonly hits: Float32Array | undefined } {
  const { tf } = program.engine;
  const { losses, hits } = tidied(tf, () => {
    const { input, targets } = data.gather(split, datasets, sameRows(datasets.length, from, rows));
    const outputs = outputsOf(program, weights, input);
    const classes = program.task.output.kind === "classes";
    return {
      losses: rowLosses(program, outputs, targets),
      hits: classes ? countHits(tf, outputs, targets) : undefined,
    };
  });
  // Read here: a tidy looks for tensors in what it returns, number by number.
  const read = { losses: losses.dataSync<"float32">(), hits: hits?.dataSync<"float32">() };
  tf.dispose([losses, ...(hits === undefined ? [] : [hits])]);
  return read;
}

/** The rows [from, from + rows), once for each member. */
export function sameRows(members: number, from: number, rows: number): Int32Array {
  const all = new Int32Array(members * rows);
  for (let i = 0; i < rows; i += 1) all[i] = from + i;
  for (let k = 1; k < members; k += 1) all.copyWithin(k * rows, 0, rows);
  return all;
}

/** For each member, the number of rows whose most likely class (the first, of equal ones) is that of the target. */
function countHits(tf: Tf, outputs: Tensor3D, targets: Tensor3D): Tensor {
  const own = ownKernel(tf, "OccamHits", { a: outputs, b: targets });
  return own?.[0] ?? tf.sum(tf.cast(tf.equal(tf.argMax(outputs, -1), tf.argMax(targets, -1)), "float32"), -1);
}

/** Adds each member's share of `values` to its sum, in order. */
function addUp(values: Float32Array, sums: number[]): void {
  const each = values.length / sums.length;
  for (let k = 0; k < sums.length; k += 1) {
    let sum = sums[k]!;
    for (let i = k * each; i < (k + 1) * each; i += 1) sum += values[i]!;
    sums[k] = sum;
  }
}
