/**
 * Runs that are bad on purpose, each with the verdicts that say so: an estimate that is wrong must not be called `ok`. The base is
 * linear regression with noisy labels, whose truth is d/2 at every w0 that has been refined.
 */
import { fold, rootKey } from "../../src/core/random.ts";
import { judgeNumber, judgeVerdict } from "../../src/selftest/judge.ts";
import type { Reading, Row } from "../../src/selftest/row.ts";
import type { Verdict } from "../../src/result/cell-result.ts";
import { estimandsOf, surfacesOf } from "../complexity/estimand.ts";
import { estimateSurface } from "../complexity/estimate-surface.ts";
import type { Surface } from "../sample/surface.ts";
import { cellKey } from "../train/members.ts";
import { cellOfGiven, estimateOf, readingOf, type CellGiven } from "./known-cells.ts";
import { estimatePlaced, withPlaced, type Place } from "./placed-cell.ts";
import type { Bench, Job, Section } from "./section.ts";
import { dropped, halfLosses, halfWeights, notANumberBeyond, spoiltSurface } from "./spoilt-surface.ts";

const PARAMETERS = 10;
const TRUTH = PARAMETERS / 2;
const ROWS = 1000;

type Fields = Readonly<Record<string, unknown>>;

const regression = (estimate: Fields, noise = 1): CellGiven => ({
  data: { kind: "realizable", inputs: PARAMETERS - 1, outputs: 1, noise, train: ROWS, test: 1 },
  architecture: { kind: "mlp", depth: 0 },
  train: { steps: 0, start: "teacher" },
  estimate,
  seed: 1,
});

/** A run, and what must be said of it. */
interface BadRun {
  readonly name: string;
  readonly truth?: number;
  readonly expected: readonly Verdict[];
  /** It may be mended on the way: then its number must be right. */
  readonly mends?: boolean;
  readonly read: (bench: Bench) => Promise<Reading>;
}

const ofCell = (given: CellGiven) => async (bench: Bench) => readingOf(await estimateOf(given, bench));

/** The step that this run takes when nobody says one, times a factor. */
const withStep = (factor: number, estimate: Fields) => async (bench: Bench) => {
  const { stepSize } = await estimateOf(regression(estimate), bench);
  return readingOf(await estimateOf(regression({ ...estimate, stepSize: factor * stepSize! }), bench));
};

/** w0 moved by so much in every coordinate. */
const moved =
  (distance: number): Place =>
  (weights) =>
    weights.map((values) => values.map((value) => value + distance));

const atPlace = (given: CellGiven, place: Place) => async (bench: Bench) =>
  readingOf(await estimatePlaced(cellOfGiven(given, bench), place, bench));

const stay: Place = (weights) => weights;

const onSpoilt = (given: CellGiven, spoil: (surface: Surface, bench: Bench) => Surface) => (bench: Bench) =>
  withPlaced(cellOfGiven(given, bench), stay, bench, async ({ program, data, well, pace }): Promise<Reading> => {
    const { config } = well.member.cell;
    const [estimand] = estimandsOf(program, config.estimate);
    const [surfaced] = surfacesOf(program, data, [well], estimand!);
    const surface = surfaced!.open();
    const events = { progress: () => undefined, log: () => undefined };
    const problems = [{ key: cellKey(well.member.cell) }];
    try {
      const [result] = await estimateSurface(spoil(surface, bench), problems, config.estimate, events, pace);
      const { lambdaHat, lambdaSe, verdict, verdictReason } = result!.estimate;
      return { estimate: lambdaHat, se: lambdaSe, verdict, reason: verdictReason };
    } finally {
      surface.dispose();
    }
  });

/** Posteriors that are 1e-4 wide, narrower than numbers of half precision are apart. */
const NARROW = { nBeta: 1e8, refine: "never" };
/** Losses of half precision, 2e-4 apart near 1/2, are 200 apart in units of 1/t. */
const COLD = { nBeta: 1e6 };
/** Of a dropped weight; posteriors at n / ln n are wider than what rounding alone does. */
const DROPOUT = 0.1;
const DROPOUT_KEY = rootKey("selftest/dropout");
const SGLD = { sampler: "sgld", draws: 1000, burnIn: 500 };
/** 1 / (t s_max + gamma) of this regression: t = n / ln n, curvatures near 1. */
const SGLD_STEP = Math.log(ROWS) / ROWS;

/** Of draws of this regression, |w - w0|^2 is d ln n / n on average: 0.26^2. */
const RADIUS = 0.18;

/** y = a b x at a = b = 0, where the truth is y = x: L falls along a = b, rises along a = -b. */
const SADDLE: CellGiven = {
  data: { kind: "realizable", inputs: 1, outputs: 1, distribution: "basis", train: 100, test: 1 },
  architecture: { kind: "reduced-rank", width: 1, rank: 1 },
  train: { steps: 0, start: "canonical" },
  estimate: { refine: "never" },
  seed: 1,
};

/** So cold that no chain leaves the neighbourhood that it starts in, of which R-hat knows nothing. */
const FROZEN: CellGiven = {
  data: { kind: "realizable", inputs: 10, outputs: 10, distribution: "uniform", scale: 10, train: 100, test: 1 },
  architecture: { kind: "deep-linear", widths: [[10, 8, 6, 8, 10]], rank: 3 },
  train: { steps: 0, start: "canonical" },
  estimate: { nBeta: 1e7 },
  seed: 1,
};
const FROZEN_TRUTH = 32;

const RUNS: readonly BadRun[] = [
  { name: "tier A, fixed step x10", expected: ["unconverged", "diverged"], read: withStep(10, { tier: "A" }) },
  { name: "tier A, fixed step x100", expected: ["unconverged", "diverged"], read: withStep(100, { tier: "A" }) },
  { name: "tier B, step x10", expected: ["diverged", "biased"], mends: true, read: withStep(10, { tier: "B" }) },
  { name: "tier B, step x100", expected: ["diverged", "biased"], read: withStep(100, { tier: "B" }) },
  { name: "SGLD, step at half of stability", expected: ["biased", "over-ceiling"], read: ofCell(regression({ ...SGLD, batch: "all", stepSize: 2 * SGLD_STEP })) }, // prettier-ignore
  { name: "SGLD, step x10", expected: ["diverged"], read: ofCell(regression({ ...SGLD, stepSize: 10 * SGLD_STEP })) },
  { name: "SGLD, batches of 4", expected: ["biased", "over-ceiling", "diverged"], read: ofCell(regression({ ...SGLD, batch: 4, stepSize: SGLD_STEP / 4 })) }, // prettier-ignore
  {
    name: "w0 off by 0.1, not refined",
    expected: ["not-a-minimum"],
    read: atPlace(regression({ refine: "never" }), moved(0.1)),
  },
  {
    name: "w0 off by 1, not refined",
    expected: ["not-a-minimum"],
    read: atPlace(regression({ refine: "never" }), moved(1)),
  },
  { name: "noisy labels at t = n, not refined", expected: ["not-a-minimum"], read: ofCell(regression({ refine: "never", nBeta: ROWS })) }, // prettier-ignore
  { name: "a budget of 50 gradients", expected: ["unconverged"], read: ofCell(regression({ budget: 50 })) },
  { name: "two chains of ten draws", expected: ["unconverged"], read: ofCell(regression({ ...SGLD, chains: 2, draws: 10, burnIn: 0, stepSize: SGLD_STEP / 4 })) }, // prettier-ignore
  { name: "gamma x1000", expected: ["biased"], read: ofCell(regression({ gamma: 1000 })) },
  { name: "dropout left on", expected: ["not-a-minimum", "unconverged", "biased", "over-ceiling"], read: onSpoilt(regression({}), (surface, { seed }) => spoiltSurface(surface, dropped(surface, DROPOUT, fold(DROPOUT_KEY, "calls", seed)))) }, // prettier-ignore
  { name: "weights in half precision", expected: ["over-ceiling", "diverged", "biased", "not-a-minimum", "unconverged"], read: onSpoilt(regression(NARROW, 0), (surface) => spoiltSurface(surface, halfWeights(surface))) }, // prettier-ignore
  { name: "losses in half precision", expected: ["not-a-minimum", "unconverged", "biased"], read: onSpoilt(regression(COLD), (surface) => spoiltSurface(surface, halfLosses(surface))) }, // prettier-ignore
  { name: "NaN beyond a radius", expected: ["diverged", "biased", "unconverged"], read: onSpoilt(regression({}, 0), (surface) => spoiltSurface(surface, notANumberBeyond(surface, RADIUS))) }, // prettier-ignore
  { name: "an anchor at a saddle", truth: 0.5, expected: ["not-a-minimum"], read: atPlace(SADDLE, (weights) => weights.map((values) => values.map(() => 0))) }, // prettier-ignore
  { name: "chains that never leave their start", truth: FROZEN_TRUTH, expected: ["unconverged"], read: ofCell(FROZEN) },
];

const badRunJob = ({ name, truth = TRUTH, expected, mends = false, read }: BadRun): Job => ({
  name,
  run: async (bench): Promise<readonly Row[]> => {
    // These settings are the point: another budget would be another run.
    const reading = await read({ ...bench, budget: undefined });
    if (mends && reading.verdict === "ok") return [judgeNumber(name, truth, reading, MENDED)];
    return [judgeVerdict(name, truth, reading, expected)];
  },
});

const MENDED = { share: 0.05, standardErrors: 3, mostSe: 0.1 } as const;

export const badRunSection: Section = {
  name: "bad-runs",
  summary: "runs that are bad on purpose: each must be called so",
  long: false,
  jobs: RUNS.map(badRunJob),
};
