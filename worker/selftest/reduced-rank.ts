/** Reduced rank, y = B A x with truth 0, exactly at finite t: what minibatch samplers read 9 to 58 % too high. */
import { exactAtT } from "./exact-at-t.ts";
import type { Section } from "./section.ts";

/** M inputs, H hidden units, N outputs. */
type Shape = readonly [number, number, number];

const GATE = { share: 0.01, standardErrors: 3, mostSe: 0.06 };
const ESTIMATE = { chains: 32, budget: 12_000, trajectory: 60, tolerance: 0.02 };

/** Inputs sqrt(2 M) e_k in turn have E x x^T = 2, so that L = |B A|_F^2 and nBeta = t. */
const reducedRank = ([inputs, width, outputs]: Shape, temperatures: readonly number[]) =>
  exactAtT({
    name: `(M, H, N) = (${inputs}, ${width}, ${outputs})`,
    given: {
      data: {
        kind: "realizable",
        inputs,
        outputs,
        distribution: "basis",
        scale: Math.sqrt(2 * inputs),
        train: 2 * inputs,
        test: inputs,
      },
      architecture: { kind: "reduced-rank", width, rank: 0 },
      train: { steps: 0, start: "canonical" },
      estimate: ESTIMATE,
      seed: 1,
    },
    temperatures,
    perT: 1,
    gate: GATE,
  });

export const reducedRankSection: Section = {
  name: "reduced-rank",
  summary: "reduced-rank regression at the truth 0, exactly at finite temperatures",
  long: false,
  jobs: [reducedRank([1, 1, 1], [1e2, 1e4]), reducedRank([2, 2, 2], [1e2, 1e4]), reducedRank([3, 2, 3], [1e2, 1e4])],
};
