/**
 * The `estimate` section of a sweep file: how the learning coefficient of each trained cell is estimated, or `none`. A cell
 * without an estimate has zeros in its fields, so that it is one cell whatever they were set to.
 */
import { z } from "zod";
import type { FieldValue } from "./field.ts";
import type { EstimateConfig } from "./cell.ts";

/** Up to so many rows, `batch: auto` takes all of them: the gradient of a small set costs little and has no noise. */
const AUTO_FULL_BATCH_ROWS = 256;
/** Rows of an automatic minibatch of a larger set. */
const AUTO_BATCH_ROWS = 128;

export const sgldSchema = z.strictObject({
  chains: z.int().min(1).max(64).default(4).describe("sampling chains, fused beside each other"),
  draws: z.int().min(4).max(1_000_000).default(500).describe("recorded samples of each chain"),
  burnIn: z.int().min(0).max(10_000_000).default(200).describe("steps before the first draw"),
  thin: z.int().min(1).max(10_000).default(1).describe("steps from one draw to the next"),
  batch: z
    .union([z.int().min(1), z.enum(["auto", "all"])])
    .default("auto")
    .describe(
      `rows of a minibatch, or all; auto: all rows up to ${AUTO_FULL_BATCH_ROWS}, minibatches of ${AUTO_BATCH_ROWS} above`,
    ),
  nBeta: z
    .union([z.number().positive(), z.literal("auto")])
    .default("auto")
    .describe("t = n beta, the inverse temperature times the samples; auto: n / ln n"),
  gamma: z.number().positive().default(1).describe("strength of the pull to w0: (gamma/2) |w - w0|^2"),
  stepSize: z
    .union([z.number().positive(), z.literal("auto")])
    .default("auto")
    .describe("step size epsilon; auto: 1 / (t s_max + gamma), less where minibatch noise asks for it"),
  kernelRows: z
    .int()
    .min(1)
    .max(16_384)
    .default(256)
    .describe("rows, at the most, of the kernel matrix behind quad, the ceiling and the automatic step size"),
});

export const noEstimateSchema = z.strictObject({});

/** `estimate: none`. */
export const NO_ESTIMATE: EstimateConfig = {
  sampler: "none",
  chains: 0,
  draws: 0,
  burnIn: 0,
  thin: 0,
  batch: 0,
  nBeta: 0,
  gamma: 0,
  stepSize: 0,
  kernelRows: 0,
};

/** @param values by path, every field of its kind present */
export function estimateConfigOf(
  kind: string,
  values: Readonly<Record<string, FieldValue>>,
  trainRows: number,
): EstimateConfig {
  if (kind === "none") return NO_ESTIMATE;
  const number = (field: string): number => (typeof values[field] === "number" ? values[field] : 0);
  const automatic = trainRows <= AUTO_FULL_BATCH_ROWS ? 0 : AUTO_BATCH_ROWS;
  return {
    sampler: "sgld",
    chains: number("chains"),
    draws: number("draws"),
    burnIn: number("burnIn"),
    thin: number("thin"),
    batch: values["batch"] === "auto" ? automatic : number("batch"),
    nBeta: number("nBeta"),
    gamma: number("gamma"),
    stepSize: number("stepSize"),
    kernelRows: number("kernelRows"),
  };
}
