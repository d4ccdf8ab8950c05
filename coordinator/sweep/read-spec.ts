/** Sweep files, as the coordinator uses them. */
import type { FuseKey } from "../../src/core/ids.ts";
import type { CellConfig } from "../../src/spec/cell.ts";
import { costOf } from "../../src/spec/cost.ts";
import { parseSweep, sweepIdOf, type SweepSpec } from "../../src/spec/sweep.ts";
import type { ReadSpec, SpecCell, SpecReader } from "./spec-reader.ts";

/** As long as fits beside a number in a line of a terminal. */
const LABEL_CHARS = 80;

export const specReader: SpecReader = {
  read: async (text, fileName) => readSpec(parseSweep(text, fileName)),
};

function readSpec(spec: SweepSpec): ReadSpec {
  const costs = new CostTable();
  const varying = spec.axes.filter((axis) => axis.values === undefined || axis.values.length > 1);
  const at = (index: number): SpecCell | undefined => {
    const point = spec.at(index);
    if (point === undefined) return undefined;
    const { cell, fuseKey, config } = point;
    return { id: cell.id, fuseKey, config, ...costs.of(fuseKey, cell.config) };
  };
  return {
    name: spec.name,
    gridSize: spec.gridSize,
    mayRepeat: spec.mayRepeat,
    id: (requestId) => sweepIdOf(spec, requestId === undefined ? {} : { noCacheRequestId: requestId }),
    at,
    label: (index) => {
      const values = spec.at(index)?.point ?? {};
      const words = varying.flatMap(({ path }) => wordOf(path, values[path] ?? null));
      const label = words.join(" ");
      return label.length <= LABEL_CHARS ? label : `${label.slice(0, LABEL_CHARS - 1)}…`;
    },
  };
}

/** "architecture.kind" is said by its value alone, "optimizer.learningRate" as learningRate=0.1. */
function wordOf(path: string, value: string | number | boolean | null): readonly string[] {
  if (value === null) return [];
  const field = path.split(".").at(-1)!;
  return [field === "kind" ? String(value) : `${field}=${String(value)}`];
}

/** Costs depend on shapes and on the kinds of optimizer and regulariser: a sweep has few of them. */
class CostTable {
  readonly #known = new Map<string, Pick<SpecCell, "bytesPerMember" | "flops">>();

  of(fuseKey: FuseKey, config: CellConfig): Pick<SpecCell, "bytesPerMember" | "flops"> {
    const name = `${fuseKey}/${config.optimizer.kind}/${config.regulariser.kind}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { bytesPerMember, trainFlops, estimateFlops } = costOf(config);
    const cost = { bytesPerMember, flops: trainFlops + estimateFlops };
    this.#known.set(name, cost);
    return cost;
  }
}
