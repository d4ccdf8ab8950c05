/** Plots of a calibration: lambda-hat over t, gamma and budget, var/mean over t, and what samplers cost. */
import { amount, cellLayers, errorLayer, REFERENCE_MARK } from "./encode.ts";
import { logScaleOver, scaleOver, sentences, type ValueScale } from "./estimated.ts";
import { panel, type Absent, type Plot, type VegaLite } from "./figure.ts";
import { figureText } from "./number-text.ts";
import { INK, MUTED } from "./theme.ts";
import type { Calibration } from "../calibrate/calibration.ts";
import { flatRegion } from "../calibrate/choose-gamma.ts";
import { costOf, type Measurement, type Stage } from "../calibrate/measurement.ts";
import { VERDICTS, type Verdict } from "../result/cell-result.ts";

/** Of each stage but that of samplers: what its axis holds. */
const AXES = {
  t: { title: "t = nβ", of: ({ estimate }: Measurement) => estimate.nBeta },
  gamma: { title: "γ", of: ({ estimate }: Measurement) => estimate.gamma },
  budget: { title: "gradients a chain, at the most", of: ({ config }: Measurement) => config.budget },
} as const;
type CurveStage = keyof typeof AXES;

export function calibrationPlots({ measurements, choices }: Calibration): readonly (Plot | Absent)[] {
  const of = (stage: Stage): readonly Measurement[] =>
    measurements.filter((one) => one.stage === stage).toSorted((a, b) => a.factor - b.factor);
  const region = flatRegion(of("gamma"));
  return [
    overPanel("t", of("t"), choices.t.factor),
    spreadPanel(of("t")),
    overPanel("gamma", of("gamma"), choices.gamma.factor, region),
    overPanel("budget", of("budget"), choices.budget.factor),
    costPanel(of("sampler")),
  ];
}

interface Mark {
  readonly measurement: Measurement;
  readonly x: number;
  readonly y: number;
  readonly error: number;
}

function marksOf(
  stage: CurveStage,
  measurements: readonly Measurement[],
  y: (one: Measurement) => number | null,
): readonly Mark[] {
  return measurements.flatMap((measurement) => {
    const [at, value] = [AXES[stage].of(measurement), y(measurement)];
    if (at === null || value === null) return [];
    return [{ measurement, x: at, y: value, error: measurement.estimate.lambdaSe ?? 0 }];
  });
}

function overPanel(
  stage: CurveStage,
  measurements: readonly Measurement[],
  chosen: number,
  region: readonly Measurement[] = [],
): Plot | Absent {
  const [id, title] = [`lambda-over-${stage}`, `λ̂ over ${stage === "gamma" ? "γ" : stage}`];
  const marks = marksOf(stage, measurements, ({ estimate }) => estimate.lambdaHat);
  if (marks.length === 0) return { id, title, absent: "No estimate has a number." };
  const xScale = logScaleOver(marks.map(({ x }) => x));
  const yScale = scaleOf(marks);
  const x = amount("x", AXES[stage].title, xScale);
  const y = amount("y", "λ̂", yScale);
  const found = marks.find(({ measurement }) => measurement.factor === chosen);
  const caption = sentences(
    `n = ${marks.length} estimates of one cell.`,
    "Bars: ± one standard error. Colour and shape: verdict, hollow when bad.",
    found === undefined ? "" : `Dashed: chosen, ${figureText(found.x)}.`,
    region.length === 0 ? "" : "Grey: the flat region.",
    marks.some(({ y }) => yScale.place(y) !== y) ? "Estimates beyond the axis are drawn at its edge." : "",
  );
  const layer = [
    ...regionLayer(stage, region, x),
    ...(found === undefined ? [] : [chosenLayer(found.x, x)]),
    lineLayer(x, y),
    errorLayer({ x, y: { ...y, field: "low" }, y2: { field: "high" } }, undefined, verdictsOf(marks)),
    ...cellLayers({ x, y }, undefined, verdictsOf(marks)),
  ];
  return panel({ id, title, caption, data: { values: marks.map((mark) => dataOf(mark, yScale)) }, layer });
}

function spreadPanel(measurements: readonly Measurement[]): Plot | Absent {
  const [id, title] = ["spread-over-t", "var/mean of t ΔL over t"];
  const marks = marksOf("t", measurements, ({ estimate }) => estimate.varOverMean);
  if (marks.length === 0) return { id, title, absent: "No estimate has a spread." };
  const yScale = scaleOver([1, ...marks.map(({ y }) => y)]);
  const xScale = logScaleOver(marks.map(({ x }) => x));
  const x = amount("x", AXES.t.title, xScale);
  const y = amount("y", "var/mean", yScale);
  const ends = { values: xScale.domain.map((end) => ({ x: end, y: 1 })) };
  const layer = [
    { name: "one", data: ends, mark: REFERENCE_MARK, encoding: { x, y } },
    lineLayer(x, y),
    ...cellLayers({ x, y }, undefined, verdictsOf(marks)),
  ];
  const caption = `n = ${marks.length} estimates of one cell. Dashed: 1, which theory has near a minimum. Colour and shape: verdict.`;
  return panel({ id, title, caption, data: { values: marks.map((mark) => dataOf(mark, yScale)) }, layer });
}

/** One line a sampler. */
function costPanel(measurements: readonly Measurement[]): Plot | Absent {
  const [id, title] = ["cost-by-sampler", "Price of precision by sampler"];
  const priced = measurements.flatMap((measurement) => {
    const cost = costOf(measurement);
    return cost === null || cost <= 0 ? [] : [{ measurement, x: cost, y: 0, error: 0 }];
  });
  if (priced.length === 0) return { id, title, absent: "No sampler has a standard error." };
  const x = amount("x", "SE² × full gradients", logScaleOver(priced.map((mark) => mark.x)));
  const names = measurements.map(({ label }) => label);
  const y = { field: "label", type: "ordinal", title: null, sort: names, scale: { domain: names } };
  const values = priced.map(({ measurement, x }) => ({ label: measurement.label, x, verdict: measurement.estimate.verdict })); // prettier-ignore
  const caption = sentences(
    `n = ${priced.length} samplers on one cell; less is better, and a bad verdict has no price.`,
    "A full gradient is one over all rows. Colour and shape: verdict, hollow when bad.",
  );
  const layer = cellLayers({ x, y }, undefined, verdictsOf(priced));
  return panel({ id, title, caption, data: { values }, layer });
}

/** Far from anything that could be compared; drawn at the edge. */
const WILD: ReadonlySet<Verdict> = new Set(["diverged", "over-ceiling"]);

/** Over all with their errors: of one cell the bad ones show where settings go wrong. */
function scaleOf(marks: readonly Mark[]): ValueScale {
  const tame = marks.filter(({ measurement }) => !WILD.has(measurement.estimate.verdict));
  const wild = marks.filter((mark) => !tame.includes(mark)).map(({ y }) => y);
  return scaleOver(tame.flatMap(({ y, error }) => [y - error, y + error]), wild); // prettier-ignore
}

function verdictsOf(marks: readonly Mark[]): readonly Verdict[] {
  return VERDICTS.filter((verdict) => marks.some(({ measurement }) => measurement.estimate.verdict === verdict));
}

function dataOf({ measurement, x, y, error }: Mark, scale: ValueScale): VegaLite {
  return {
    label: measurement.label,
    x,
    value: y,
    y: scale.place(y),
    low: scale.place(y - error),
    high: scale.place(y + error),
    verdict: measurement.estimate.verdict,
  };
}

function lineLayer(x: VegaLite, y: VegaLite): VegaLite {
  return { name: "curve", mark: { type: "line", color: MUTED, strokeWidth: 1, opacity: 0.6 }, encoding: { x, y } };
}

function chosenLayer(at: number, x: VegaLite): VegaLite {
  const mark = { type: "rule", color: INK, strokeDash: [4, 3], strokeWidth: 1 };
  return { name: "chosen", data: { values: [{ x: at }] }, mark, encoding: { x } };
}

function regionLayer(stage: CurveStage, region: readonly Measurement[], x: VegaLite): readonly VegaLite[] {
  const ends = region.flatMap((one) => AXES[stage].of(one) ?? []);
  if (ends.length < 2) return [];
  const values = [{ from: ends[0], to: ends.at(-1) }];
  const mark = { type: "rect", color: MUTED, opacity: 0.14 };
  return [{ name: "region", data: { values }, mark, encoding: { x: { ...x, field: "from" }, x2: { field: "to" } } }];
}
