/** Normal crossings and power sums at w = 0, exactly at finite t: the simplest singular potentials, whose Hessian is 0. */
import { numbersOf } from "../../src/catalogue/number-list.ts";
import { exactAtT } from "./exact-at-t.ts";
import type { Section } from "./section.ts";

/** Rows are all alike: x = 1, so that L = K / 2 and nBeta = 2 t. */
const PER_T = 2;
const GATE = { share: 0.01, standardErrors: 3, mostSe: 0.06 };
/** The arms of a crossing are long and thin: trajectories must be as long. */
const ESTIMATE = { chains: 32, budget: 24_000, trajectory: 60, tolerance: 0.02 };

const crossing = (powers: string, form: "product" | "sum") => {
  const outputs = form === "sum" ? numbersOf(powers).length : 1;
  return exactAtT({
    name: `${form} of w^(2k), k = ${powers.replaceAll(" ", ", ")}`,
    given: {
      data: { kind: "realizable", inputs: 1, outputs, distribution: "basis", train: 2, test: 1 },
      architecture: { kind: "normal-crossing", powers: numbersOf(powers), form },
      train: { steps: 0, start: "canonical" },
      estimate: ESTIMATE,
      seed: 1,
    },
    temperatures: [1e2, 1e4],
    perT: PER_T,
    gate: GATE,
  });
};

export const crossingSection: Section = {
  name: "crossings",
  summary: "normal crossings and power sums, exactly at finite temperatures",
  long: false,
  jobs: [crossing("1 1", "product"), crossing("1 2", "product"), crossing("1 2 3", "sum")],
};
