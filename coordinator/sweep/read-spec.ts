/** Sweep files, as the coordinator uses them. */
import type { FuseKey } from "../../src/core/ids.ts";
import type { CellConfig } from "../../src/spec/cell.ts";
import { costOf } from "../../src/spec/cost.ts";
import { parseSweep, sweepIdOf, type Arm, type SweepSpec } from "../../src/spec/sweep.ts";
import type { CellArm } from "../store/change.ts";
import type { ReadSpec, SpecArm, SpecCell, SpecReader } from "./spec-reader.ts";

/** As long as fits beside a number in a line of a terminal. */
const LABEL_CHARS = 80;

export const specReader: SpecReader = {
  read: async (text, fileName) => readSpec(parseSweep(text, fileName)),
};

function readSpec(spec: SweepSpec): ReadSpec {
  const costs = new CostTable();
  const varying = spec.axes.filter((axis) => axis.values === undefined || axis.values.length > 1);
  let last: { readonly of: Arm; readonly arm: SpecArm } | undefined;
  const at = (index: number): SpecCell | undefined => {
    const cell = spec.cellAt(index);
    if (cell === undefined) return undefined;
    if (last?.of !== cell.arm) last = { of: cell.arm, arm: specArm(cell.arm, costs) };
    return { id: cell.id, arm: last.arm, own: cell.seed };
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

function specArm({ fuseKey, config, texts }: Arm, costs: CostTable): SpecArm {
  const cost = costs.of(fuseKey, { ...config, seed: "0" });
  return { fuseKey, before: texts.before, after: texts.after, ...cost };
}

/** Costs depend on shapes and on the kinds of optimizer and regulariser: a sweep has few of them. */
class CostTable {
  readonly #known = new Map<string, Omit<SpecArm, keyof CellArm>>();

  of(fuseKey: FuseKey, config: CellConfig): Omit<SpecArm, keyof CellArm> {
    const name = `${fuseKey}/${config.optimizer.kind}/${config.regulariser.kind}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { bytesPerMember, trainFlops, estimateFlops } = costOf(config);
    const cost = { bytesPerMember, flops: trainFlops + estimateFlops };
    this.#known.set(name, cost);
    return cost;
  }
}
