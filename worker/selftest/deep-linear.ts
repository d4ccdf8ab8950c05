/**
 * Deep linear networks: the two formulas of the global coefficient against each other, and estimates at canonical weights against
 * the global coefficient, at generic weights against the local one.
 *
 * A generic point sits on a smooth piece of the fibre, whose singular points, of a lower coefficient, lie at a distance of order
 * 1. Chains whose pull is 1 reach them, and read less (5-3-5, rank 0: 6.4 for the local 7.5). At gamma = 100 and t = 10^7 they
 * stay beside w0, and the pull holds 1e-5 of a direction of unit curvature.
 */
import { deepLinear, rankArrayLambda } from "../../src/oracle/deep-linear.ts";
import { truthOf } from "../../src/oracle/truth.ts";
import { OccamError } from "../../src/core/errors.ts";
import { judgeEqual, judgeNumber, type NumberGate } from "../../src/selftest/judge.ts";
import { cellOfGiven, estimateOfCell, readingOf } from "./known-cells.ts";
import type { Job, Section } from "./section.ts";

interface Network {
  readonly widths: readonly number[];
  readonly rank: number;
}

/** With the rows of the design notes' table. */
const FORMULAS: readonly Network[] = [
  { widths: [2, 2, 2], rank: 0 },
  { widths: [5, 3, 5], rank: 0 },
  { widths: [6, 4, 5], rank: 2 },
  { widths: [2, 2, 2, 2], rank: 0 },
  { widths: [10, 8, 6, 8, 10], rank: 3 },
  { widths: [50, 50, 50, 50, 50, 50], rank: 10 },
  { widths: [784, 100, 100, 10], rank: 10 },
];

const SAMPLED: readonly Network[] = [
  { widths: [10, 10, 10], rank: 5 },
  { widths: [6, 4, 5], rank: 2 },
  { widths: [5, 3, 5], rank: 0 },
];

/** Canonical weights are as singular as it gets: at t = 10^5 a multiplicity of 2 costs 1/ln t = 0.09 of lambda. */
const CANONICAL = { start: "canonical", nBeta: 1e5, gamma: 1, seed: 1 } as const;
const GENERIC = { start: "generic", nBeta: 1e7, gamma: 100, seed: 2 } as const;
const GATE: NumberGate = { share: 0.03, standardErrors: 3, mostSe: 0.03 };

const textOf = ({ widths, rank }: Network): string => `${widths.join("-")}, rank ${rank}`;

const formulas: Job = {
  name: "formulas",
  run: async () =>
    FORMULAS.map((network) => {
      const { widths, rank } = network;
      return judgeEqual(
        `${textOf(network)}: two formulas`,
        deepLinear(widths, rank).lambda,
        rankArrayLambda(widths, rank),
      );
    }),
};

function sampled(network: Network, { start, nBeta, gamma, seed }: typeof CANONICAL | typeof GENERIC): Job {
  const { widths, rank } = network;
  const name = `${textOf(network)}, ${start}`;
  return {
    name,
    run: async (bench) => {
      const given = {
        data: { kind: "realizable", inputs: widths[0], outputs: widths.at(-1), train: 100, test: 1 },
        architecture: { kind: "deep-linear", widths: [widths], rank },
        train: { steps: 0, start },
        estimate: { chains: 16, budget: 6000, trajectory: 40, tolerance: 0.02, nBeta, gamma },
        seed,
      };
      const cell = cellOfGiven(given, bench);
      const truth = truthOf(cell.config)?.localLambda;
      if (truth === undefined) throw new OccamError("internal", `${name} has no truth`);
      return [judgeNumber(name, truth, readingOf(await estimateOfCell(cell, bench)), GATE)];
    },
  };
}

export const deepLinearSection: Section = {
  name: "deep-linear",
  summary: "deep linear networks at canonical and generic weights, and both formulas of their coefficient",
  long: false,
  jobs: [
    formulas,
    ...SAMPLED.map((network) => sampled(network, CANONICAL)),
    ...SAMPLED.map((network) => sampled(network, GENERIC)),
  ],
};
