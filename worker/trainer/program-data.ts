/** The datasets of a fused program, and which of them each cell reads. */
import type { LoadedData } from "../../src/catalogue/entry.ts";
import { datasetOf } from "../../src/catalogue/registry.ts";
import type { Cell } from "../../src/spec/cell.ts";
import type { CellMemory } from "../checkpoint/cell-memory.ts";
import type { Program } from "../engine/program.ts";
import { memberOf, type Member } from "../train/members.ts";
import { startTargets } from "../train/start-targets.ts";

/** A cell whose data are there. */
export interface ReadyCell {
  readonly cell: Cell;
  readonly dataName: string;
  readonly data: LoadedData;
  /** What is done of it already; undefined where nobody keeps it. */
  readonly memory?: CellMemory | undefined;
}

export interface ProgramData {
  readonly datasets: readonly LoadedData[];
  /** In the order of the cells. */
  readonly members: readonly Member[];
}

/** Cells share the datasets that they name; one whose start makes its targets has a dataset of its own. */
export function programData(program: Program, cells: readonly ReadyCell[]): ProgramData {
  const names = [...new Set(cells.map(({ dataName }) => dataName))];
  const shared = names.map((name) => cells.find(({ dataName }) => dataName === name)!.data);
  const members = cells.map(({ cell, dataName, memory }) => memberOf(cell, names.indexOf(dataName), memory));
  const started = members.filter(({ cell }) => datasetOf(cell.config.data).targets === "start");
  const own = startTargets(program, started, shared);
  return {
    datasets: [...shared, ...own],
    members: members.map((member) => {
      const at = started.indexOf(member);
      return at < 0 ? member : { ...member, dataset: shared.length + at };
    }),
  };
}
