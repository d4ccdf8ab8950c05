/** What `occam plan` prints, and the few lines of it that `occam run` begins with. */
import { join } from "node:path";
import { shortId } from "../core/ids.ts";
import { EXACT_POINTS, planSweep, type Plan } from "../spec/plan.ts";
import { durationText, flopText, renderPlan } from "../spec/render-plan.ts";
import type { GridPoint, SweepSpec } from "../spec/sweep.ts";
import { cachedCells } from "./cached-cells.ts";
import { widthOf, type Io } from "./io.ts";
import { count, fit } from "./output/format.ts";
import { readSpec } from "./spec-file.ts";
import { pathIn } from "./token.ts";

export interface PlanArgs {
  readonly spec: string;
  readonly json: boolean;
  readonly cells: boolean;
  readonly out: string | undefined;
}

export async function showPlan(args: PlanArgs, io: Io): Promise<void> {
  const { spec } = await readSpec(args.spec, io);
  if (args.cells) return listCells(spec, args.json, io);
  const plan = planSweep(spec, await known(spec, pathIn(io.cwd, args.out ?? join("occam-out", spec.name)), io));
  await io.out.write(args.json ? `${JSON.stringify(plan)}\n` : onScreen(renderPlan(plan), io));
}

/** Ids of cells that have a result, for grids of which every cell is looked at. */
async function known(spec: SweepSpec, outDir: string, io: Io): Promise<{ readonly cached?: ReadonlySet<string> }> {
  if (spec.gridSize > EXACT_POINTS) return {};
  const cached = await cachedCells(join(outDir, "store"), () => spec.points(), io);
  return cached === undefined ? {} : { cached };
}

async function listCells(spec: SweepSpec, json: boolean, io: Io): Promise<void> {
  for (const point of spec.points()) {
    await io.out.write(json ? `${JSON.stringify(cellJson(point))}\n` : `${onScreen(cellLine(point), io)}\n`);
  }
}

const cellJson = ({ index, cell, point }: GridPoint) => ({ index, cellId: cell.id, point, config: cell.config });

function cellLine({ index, cell, point }: GridPoint): string {
  const values = Object.entries(point).filter(([, value]) => value !== null);
  return `${index}  ${shortId(cell.id)}  ${values.map(([path, value]) => `${path}=${String(value)}`).join(" ")}`;
}

/** Lines of a terminal are cut at its edge; a pipe gets them whole. */
function onScreen(text: string, io: Io): string {
  if (!io.out.isTTY) return text;
  const width = widthOf(io.out);
  return text
    .split("\n")
    .map((line) => fit(line, width))
    .join("\n");
}

/** Cells, work and a rough time, before a run. */
export function planInBrief(spec: SweepSpec, workers: number, backend: string): string {
  const plan = planSweep(spec);
  const about = plan.exact ? "" : "about ";
  const { trainFlops, estimateFlops } = plan.totals;
  return [
    `${plan.name}: ${about}${count(plan.cells, "cell")} in ${count(plan.fuseGroups.length, "fuse group")}`,
    `${flopText(trainFlops)} to train and ${flopText(estimateFlops)} to estimate, ${timeText(plan, workers, backend)}`,
  ].join("\n");
}

function timeText(plan: Plan, workers: number, backend: string): string {
  const time = plan.times.find((candidate) => candidate.backend === backend) ?? plan.times.find(isWasm)!;
  const on = `${count(workers, "worker")} on ${time.backend}`;
  return `roughly ${durationText(time.seconds / workers)} with ${on}, less where training stops early`;
}

const isWasm = ({ backend }: { readonly backend: string }): boolean => backend === "wasm";
