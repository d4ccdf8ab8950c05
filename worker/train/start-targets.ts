/**
 * The targets of realizable data: what the network of each cell puts out where it starts, plus the data's noise, in float32 by
 * the program's own forward pass. Rows are visited in the chunks of an evaluation, so a cell's targets depend on the cell alone.
 */
import type { LoadedData, Tensor } from "../../src/catalogue/entry.ts";
import { evaluationRows } from "../../src/spec/memory.ts";
import { outputsOf, type Program } from "../engine/program.ts";
import { sameRows } from "./evaluate.ts";
import { FusedData, join, type Split } from "./fused-data.ts";
import { initialWeights } from "./initial-weights.ts";
import type { Member } from "./members.ts";

/**
 * The data of each member: the inputs that it was given, with targets of its own.
 * @param given what members read: inputs, and the noise in place of targets
 */
export function startTargets(
  program: Program,
  members: readonly Member[],
  given: readonly LoadedData[],
): readonly LoadedData[] {
  if (members.length === 0) return [];
  const data = new FusedData(program, given);
  const weights = initialWeights(program, members);
  const datasets = members.map(({ dataset }) => dataset);
  try {
    const train = splitTargets(program, data, "train", weights, datasets);
    const test = splitTargets(program, data, "test", weights, datasets);
    return datasets.map((dataset, k) => ({
      train: { ...given[dataset]!.train, y: train[k]! },
      test: { ...given[dataset]!.test, y: test[k]! },
    }));
  } finally {
    data.dispose();
    program.engine.tf.dispose([...weights]);
  }
}

/** [rows x targetSize] of each member. */
function splitTargets(
  program: Program,
  data: FusedData,
  split: Split,
  weights: readonly Tensor[],
  datasets: readonly number[],
): readonly Float32Array[] {
  const { tf } = program.engine;
  const total = data.rows(split);
  const chunk = evaluationRows(program);
  const parts: Float32Array[][] = datasets.map(() => []);
  for (let from = 0; from < total; from += chunk) {
    const rows = sameRows(datasets.length, from, Math.min(chunk, total - from));
    const outputs = tf.tidy(() => {
      const { input, targets: noise } = data.gather(split, datasets, rows);
      return tf.add(outputsOf(program, weights, input), noise);
    });
    const values = outputs.dataSync<"float32">();
    outputs.dispose();
    const each = values.length / datasets.length;
    parts.forEach((own, k) => own.push(values.slice(k * each, (k + 1) * each)));
  }
  return parts.map(join);
}
