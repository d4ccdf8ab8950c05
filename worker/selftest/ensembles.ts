/**
 * Ensembles of deep linear networks with nothing tuned by hand, beside SGLD with its published settings: the same networks and
 * weights, as many gradients of as many samples (10,000 of 500). The loss is the distance to the network's own outputs, which is
 * that of noise-free targets.
 *
 * Ours: tier A with its defaults on 500 fixed rows, 4 chains of at most 2,500 gradients. Published (arXiv 2402.03698, appendix
 * E.2): step 5e-7, gamma 1, batches of 500 out of n = 10^5, one chain of 10,000 steps, the last tenth of them kept. Both at
 * t = n / ln n.
 */
import { fold, rootKey } from "../../src/core/random.ts";
import { judgeNumber } from "../../src/selftest/judge.ts";
import type { Row } from "../../src/selftest/row.ts";
import { cellOfGiven, readingOf, type CellGiven } from "./known-cells.ts";
import { estimatePlaced, type Weights } from "./placed-cell.ts";
import {
  canonicalWeights,
  genericWeights,
  randomNetwork,
  truthsOf,
  type EnsembleShape,
  type RandomNetwork,
} from "./random-network.ts";
import type { Bench, Job, Section } from "./section.ts";

interface Ensemble {
  readonly name: string;
  readonly networks: number;
  readonly shape: EnsembleShape;
}

const ENSEMBLES: readonly Ensemble[] = [
  {
    name: "1k",
    networks: 40,
    shape: { mostLayers: 5, leastWidth: 5, mostWidth: 50, logParameters: Math.log(1000), within: 0.7 },
  },
  {
    name: "10k",
    networks: 12,
    shape: { mostLayers: 10, leastWidth: 5, mostWidth: 100, logParameters: Math.log(10_000), within: 0.5 },
  },
];

const N = 100_000;
const T = N / Math.log(N);
const BATCH = 500;

const ESTIMAND = { estimand: "behavioural", distance: "mse", nBeta: T, gamma: 1 };
const METHODS = [
  { name: "ours", rows: BATCH, estimate: { ...ESTIMAND, chains: 4, budget: 2500 } },
  {
    name: "SGLD",
    rows: N,
    estimate: { ...ESTIMAND, sampler: "sgld", chains: 1, burnIn: 9000, draws: 1000, batch: BATCH, stepSize: 5e-7 },
  },
] as const;

/** A network does not pass or fail by itself: the ensemble does (`ensemble-figures.ts`). */
const NO_GATE = { share: Infinity, standardErrors: 0, mostSe: Infinity } as const;

const cellGiven = (
  { widths }: RandomNetwork,
  { rows, estimate }: (typeof METHODS)[number],
  seed: number,
): CellGiven => ({
  data: { kind: "realizable", inputs: widths[0], outputs: widths.at(-1), distribution: "uniform", scale: 10, train: rows, test: 1 }, // prettier-ignore
  architecture: { kind: "deep-linear", widths: [widths] },
  train: { steps: 0, start: "teacher" },
  estimate,
  seed,
});

function networkJob({ name, shape }: Ensemble, index: number): Job {
  return {
    name: `${name}, network ${index + 1}`,
    run: async (bench: Bench) => {
      const key = fold(rootKey(`selftest/ensemble/${name}/${bench.seed}`), "network", index);
      const network = randomNetwork(shape, key);
      const truths = truthsOf(network);
      const places = { canonical: canonicalWeights(network), generic: genericWeights(network, key) };
      const rows: Row[] = [];
      for (const method of METHODS) {
        for (const at of ["canonical", "generic"] as const) {
          const group = `${name} ${at}, ${method.name}`;
          const reading = await readAt(places[at], cellGiven(network, method, index), bench);
          const about = `${network.widths.join("-")}, ranks ${network.ranks.join("-")}`;
          const row = judgeNumber(`${group}: ${about}`, truths[at], reading, NO_GATE);
          rows.push({ ...row, group, gate: "", passed: true });
        }
      }
      return rows;
    },
  };
}

async function readAt(weights: Weights, given: CellGiven, bench: Bench) {
  return readingOf(await estimatePlaced(cellOfGiven(given, bench), () => weights, bench));
}

export const ensembleSection: Section = {
  name: "ensembles",
  summary: "deep linear networks of about 1,000 and 10,000 parameters, beside published SGLD",
  long: true,
  jobs: ENSEMBLES.flatMap((ensemble) =>
    Array.from({ length: ensemble.networks }, (_, index) => networkJob(ensemble, index)),
  ),
};
