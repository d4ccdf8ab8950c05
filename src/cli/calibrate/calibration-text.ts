/** A calibration on a terminal: a line for each estimate as it ends, then the table, the settings and the block. */
import type { Calibration } from "../../calibrate/calibration.ts";
import { costOf, fullGradients, STAGES, type Measurement } from "../../calibrate/measurement.ts";
import { formatFigure } from "../output/format.ts";
import type { Paint } from "../output/paint.ts";
import { renderTable, type TableColumn } from "../output/table.ts";

const right = (title: string): TableColumn => ({ title, align: "right" });

const COLUMNS: readonly TableColumn[] = [
  { title: "settings" },
  ...["t", "gamma", "budget", "lambda", "se"].map(right),
  { title: "verdict" },
  ...["var/mean", "ESS", "full grads", "SE^2 x grads", "seconds"].map(right),
];

export function measurementLine({ label, estimate, seconds }: Measurement, paint: Paint): string {
  const { lambdaHat, lambdaSe, verdict } = estimate;
  const text = `lambda ${figure(lambdaHat)} +- ${figure(lambdaSe)}`;
  return `${label}: ${text} ${paint(verdict === "ok" ? "green" : "yellow", verdict)}, ${formatFigure(seconds)} s`;
}

export function calibrationTable({ measurements }: Calibration, width: number): readonly string[] {
  const lines = STAGES.flatMap((stage) =>
    measurements.filter((one) => one.stage === stage).toSorted((a, b) => a.factor - b.factor),
  ).map((one) => {
    const { label, estimate, config, seconds } = one;
    return [
      label,
      figure(estimate.nBeta),
      figure(estimate.gamma),
      config.budget === 0 ? "" : String(config.budget),
      figure(estimate.lambdaHat),
      figure(estimate.lambdaSe),
      estimate.verdict,
      figure(estimate.varOverMean),
      figure(estimate.essMean),
      figure(fullGradients(one)),
      figure(costOf(one)),
      formatFigure(Number(seconds.toPrecision(3))),
    ];
  });
  return renderTable(COLUMNS, lines, width);
}

/** What was chosen without a sound reason; nothing where all is well. */
export function doubtLines({ choices }: Calibration, paint: Paint): readonly string[] {
  return STAGES.filter((stage) => !choices[stage].isSound).map((stage) =>
    paint("yellow", `not settled: ${stage}: ${choices[stage].reason}`),
  );
}

const figure = (value: number | null): string => (value === null ? "-" : formatFigure(value));
