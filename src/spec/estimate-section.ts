/**
 * The `estimate` section of a sweep file: how the learning coefficient of each trained cell is estimated, or `none`. Fields that
 * a kind does not have are zeros and empty texts, so that it is one cell whatever they were set to.
 */
import { z } from "zod";
import { numberList } from "../catalogue/number-list.ts";
import type { FieldValue } from "./field.ts";
import type { EstimateConfig } from "./cell.ts";

/** Up to so many rows, `batch: auto` takes all of them: the gradient of a small set costs little and has no noise. */
const AUTO_FULL_BATCH_ROWS = 256;
/** Rows of an automatic minibatch of a larger set. */
const AUTO_BATCH_ROWS = 128;
/** A curve of more points is a sweep of its own. */
const MOST_CURVE_POINTS = 16;

const chains = z.int().min(1).max(64).default(4).describe("sampling chains, fused beside each other");
const batch = z
  .union([z.int().min(1), z.enum(["auto", "all"])])
  .default("auto")
  .describe(
    `rows of a minibatch, or all; auto: all rows up to ${AUTO_FULL_BATCH_ROWS}, minibatches of ${AUTO_BATCH_ROWS} above`,
  );

/** What is estimated, whoever samples it. */
const ESTIMAND = {
  estimand: z
    .enum(["loss", "behavioural", "both"])
    .default("loss")
    .describe(
      "loss: of the unregularised training loss; behavioural: of the distance to the network's own outputs, 0 at the trained weights; both: one beside the other",
    ),
  distance: z
    .enum(["auto", "mse", "kl"])
    .default("auto")
    .describe(
      "behavioural distance: 1/2 |z - z0|^2, or KL of class probabilities; auto: kl for classes, mse for values",
    ),
  inputs: z
    .enum(["train", "all"])
    .default("train")
    .describe("inputs of the behavioural distance: the training rows, or those of both splits (a whole Boolean table)"),
  parameters: z
    .string()
    .min(1)
    .max(200)
    .default("all")
    .describe('parameters that move, the others are held: all, or the names that begin with this ("weight1")'),
  rows: z
    .union([z.literal("all"), z.string().regex(/^class:\d{1,6}$/)])
    .default("all")
    .describe('rows that the loss is over: all, or "class:3", those whose (first) class is 3'),
  nBeta: z
    .union([z.number().positive(), z.literal("auto")])
    .default("auto")
    .describe("t = n beta, the inverse temperature times the samples; auto: n / ln n"),
  gamma: z
    .union([z.number().positive(), z.literal("relative")])
    .default(1)
    .describe("strength of the pull to w0: (gamma/2) |w - w0|^2; relative: gamma = d / (rho^2 |w0|^2)"),
  rho: z.number().positive().default(0.2).describe("relative size of the neighbourhood where gamma is relative"),
  kernelRows: z
    .int()
    .min(1)
    .max(16_384)
    .default(256)
    .describe(
      "rows, at the most, of the kernel matrix behind quad and the ceiling; where all rows do not fit, quad is by Hessian-vector products",
    ),
};

export const tieredSchema = z.strictObject({
  tier: z
    .enum(["auto", "A", "B"])
    .default("auto")
    .describe(
      "A: Metropolis-adjusted HMC on a fixed subset; B: minibatch Langevin with control variates; auto: A up to 4,096 rows and 10^6 parameters",
    ),
  chains,
  budget: z
    .int()
    .min(20)
    .max(10_000_000)
    .default(2500)
    .describe("gradients of each chain, at the most; the first 40 % are warm-up"),
  trajectory: z.int().min(1).max(1000).default(20).describe("tier A: mean leapfrog steps of a proposal"),
  tolerance: z
    .number()
    .min(0.001)
    .max(1)
    .default(0.1)
    .describe("tier A stops at this relative standard error; the verdict asks for it"),
  subset: z
    .union([z.int().min(2), z.enum(["auto", "all"])])
    .default("auto")
    .describe("tier A: rows of the fixed subset; auto: all up to 4,096"),
  batch,
  stepSize: z
    .union([z.number().positive(), z.literal("auto")])
    .default("auto")
    .describe("step size epsilon; auto: learned on acceptance (A), or from the curvature and the noise (B)"),
  refine: z
    .enum(["auto", "never"])
    .default("auto")
    .describe("auto: weights that are no minimum are brought to the one beside them first, and the result says so"),
  curveNBeta: z
    .union([numberList(z.number().positive(), { most: MOST_CURVE_POINTS }), z.literal("none")])
    .default("none")
    .describe("factors on t at which the estimate is made besides: [0.25, 1, 4] gives a multiplicity"),
  curveGamma: z
    .union([numberList(z.number().positive(), { most: MOST_CURVE_POINTS }), z.literal("none")])
    .default("none")
    .describe("factors on gamma at which the estimate is made besides: [0.1, 1, 10]"),
  ...ESTIMAND,
});

/** Paths of its fields in the file, where they differ from the keys above. */
export const ESTIMATE_NAMES = { curveNBeta: "curve.nBeta", curveGamma: "curve.gamma" } as const;

/** The samplers of the literature, with their published defaults. */
const classical = (learningRate: number) =>
  z.strictObject({
    chains,
    draws: z.int().min(4).max(1_000_000).default(1000).describe("recorded samples of each chain"),
    burnIn: z.int().min(0).max(10_000_000).default(1000).describe("steps before the first draw"),
    thin: z.int().min(1).max(10_000).default(1).describe("steps from one draw to the next"),
    batch,
    stepSize: z.number().positive().default(learningRate).describe("learning rate, as published; not adapted"),
    ...ESTIMAND,
  });

/** Of devinterp, for all three. */
const PUBLISHED_LEARNING_RATE = 0.01;

export const sgldSchema = classical(PUBLISHED_LEARNING_RATE);
export const rmspropSgldSchema = classical(PUBLISHED_LEARNING_RATE);
export const sgnhtSchema = classical(PUBLISHED_LEARNING_RATE);

export const noEstimateSchema = z.strictObject({});

/** `estimate: none`. */
export const NO_ESTIMATE: EstimateConfig = {
  sampler: "none",
  tier: "",
  estimand: "",
  distance: "",
  inputs: "",
  parameters: "",
  rows: "",
  chains: 0,
  budget: 0,
  trajectory: 0,
  tolerance: 0,
  subset: 0,
  draws: 0,
  burnIn: 0,
  thin: 0,
  batch: 0,
  nBeta: 0,
  gamma: 0,
  rho: 0,
  stepSize: 0,
  kernelRows: 0,
  refine: "",
  curveNBeta: "",
  curveGamma: "",
};

/** @param values by path, every field of its kind present */
export function estimateConfigOf(
  kind: string,
  values: Readonly<Record<string, FieldValue>>,
  trainRows: number,
): EstimateConfig {
  if (kind === "none") return NO_ESTIMATE;
  const number = (field: string): number => (typeof values[field] === "number" ? values[field] : 0);
  const text = (field: string): string => {
    const value = values[field];
    return typeof value === "string" && value !== "none" ? value : "";
  };
  const automatic = trainRows <= AUTO_FULL_BATCH_ROWS ? 0 : AUTO_BATCH_ROWS;
  return {
    sampler: kind as EstimateConfig["sampler"],
    tier: text("tier") as EstimateConfig["tier"],
    estimand: text("estimand") as EstimateConfig["estimand"],
    distance: text("distance") as EstimateConfig["distance"],
    inputs: text("inputs") as EstimateConfig["inputs"],
    parameters: text("parameters"),
    rows: text("rows"),
    chains: number("chains"),
    budget: number("budget"),
    trajectory: number("trajectory"),
    tolerance: number("tolerance"),
    subset: number("subset"),
    draws: number("draws"),
    burnIn: number("burnIn"),
    thin: number("thin"),
    batch: values["batch"] === "auto" ? automatic : number("batch"),
    nBeta: number("nBeta"),
    gamma: number("gamma"),
    // Without effect where gamma is a number.
    rho: values["gamma"] === "relative" ? number("rho") : 0,
    stepSize: number("stepSize"),
    kernelRows: number("kernelRows"),
    refine: text("refine") as EstimateConfig["refine"],
    curveNBeta: text(ESTIMATE_NAMES.curveNBeta),
    curveGamma: text(ESTIMATE_NAMES.curveGamma),
  };
}
