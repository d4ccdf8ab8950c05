/** Measurements with the figures that a test is about. */
import type { Measurement, Stage } from "../../../src/calibrate/measurement.ts";
import type { Estimate } from "../../../src/result/cell-result.ts";
import type { EstimateConfig } from "../../../src/spec/cell.ts";
import { ESTIMATE } from "../../support/tiny-cells.ts";
import { wholeEstimate } from "../../support/whole-result.ts";

interface Given {
  readonly label?: string;
  readonly config?: Partial<EstimateConfig>;
  readonly seconds?: number;
  readonly rows?: number;
}

export function made(stage: Stage, factor: number, estimate: Partial<Estimate>, given: Given = {}): Measurement {
  return {
    stage,
    factor,
    label: given.label ?? `${stage} x ${factor}`,
    config: { ...ESTIMATE, ...given.config },
    estimate: wholeEstimate(estimate),
    seconds: given.seconds ?? 1,
    rows: given.rows ?? 100,
  };
}
