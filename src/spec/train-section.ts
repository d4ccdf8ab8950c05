/** The `train` section of a sweep file: its fields, and the configuration of a cell that they make. */
import { z } from "zod";
import { STARTS, type Start } from "../catalogue/entry.ts";
import type { FieldValue } from "./field.ts";
import type { TrainConfig } from "./cell.ts";

/** Rows of a minibatch, unless the training set has fewer. */
const AUTO_BATCH_ROWS = 64;

export const trainSchema = z.strictObject({
  steps: z
    .int()
    .min(0)
    .max(100_000_000)
    .default(1000)
    .describe("updates, at the most; 0: no training, each cell is estimated where it starts"),
  start: z
    .enum(STARTS)
    .default("random")
    .describe(
      "where training starts: random weights; or the truth of realizable data: canonical or generic weights of the architecture's rank, or teacher, its random weights",
    ),
  batch: z
    .union([z.int().min(1), z.literal("auto")])
    .default("auto")
    .describe(
      `rows of a minibatch, drawn with replacement; auto: ${AUTO_BATCH_ROWS}, or all rows when there are fewer`,
    ),
  schedule: z
    .enum(["constant", "cosine"])
    .default("constant")
    .describe("the learning rate's factor over the steps: 1, or 1/2 (1 + cos(pi step/steps))"),
  evalEvery: z.int().min(1).default(100).describe("steps between evaluations of the whole training and test set"),
  stopTrainLoss: z
    .number()
    .min(0)
    .nullable()
    .default(null)
    .describe("stop at the first evaluation whose training loss is not above this; null: use every step"),
});

/** Paths of its fields in the file, where they differ from the keys above. */
export const TRAIN_NAMES = { stopTrainLoss: "stop.trainLoss" } as const;

/** @param values by path, every field present */
export function trainConfigOf(values: Readonly<Record<string, FieldValue>>, trainRows: number): TrainConfig {
  const batch = values["batch"];
  const start = values["start"] as Start;
  return {
    steps: values["steps"] as number,
    ...(start === "random" ? {} : { start }),
    batch: typeof batch === "number" ? batch : Math.max(1, Math.min(AUTO_BATCH_ROWS, trainRows)),
    schedule: values["schedule"] as TrainConfig["schedule"],
    evalEvery: values["evalEvery"] as number,
    stopTrainLoss: values["stop.trainLoss"] as number | null,
  };
}
