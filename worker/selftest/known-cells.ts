/** Cells of the selftest: written as a sweep file would have them, so that every default is filled in and every field checked. */
import { OccamError } from "../../src/core/errors.ts";
import type { Estimate } from "../../src/result/cell-result.ts";
import type { Reading } from "../../src/selftest/row.ts";
import type { Cell } from "../../src/spec/cell.ts";
import { parseSweep } from "../../src/spec/sweep.ts";
import { runShard } from "../trainer/run-shard.ts";
import type { ShardEvents } from "../trainer/shard.ts";
import type { Bench } from "./section.ts";

/** Fields of a section of a sweep file. */
type Fields = Readonly<Record<string, unknown>>;

export interface CellGiven {
  readonly data: Fields;
  readonly architecture: Fields;
  readonly optimizer?: Fields;
  readonly train: Fields;
  readonly estimate: Fields;
  /** Distinguishes cells of one section; the bench's seed is added. */
  readonly seed: number;
}

/** Seeds of one bench lie this far from those of the next. */
const SEED_STRIDE = 1000;

export function cellOfGiven(given: CellGiven, { seed, budget }: Bench): Cell {
  const { data, architecture, optimizer, train } = given;
  const takesBudget = (given.estimate["sampler"] ?? "tiered") === "tiered";
  const estimate = budget !== undefined && takesBudget ? { ...given.estimate, budget } : given.estimate;
  const grid = {
    architecture,
    ...(optimizer === undefined ? {} : { optimizer }),
    seed: [SEED_STRIDE * seed + given.seed],
  };
  const sweep = parseSweep(JSON.stringify({ version: 1, name: "selftest", data, train, estimate, grid }), "selftest");
  const point = sweep.at(0);
  if (point === undefined) throw new OccamError("internal", "a cell of the selftest is no point of its sweep");
  return point.cell;
}

/** The estimate of a cell by the whole path of a worker: as a shard of one. */
export async function estimateOfCell(cell: Cell, { engine }: Pick<Bench, "engine">): Promise<Estimate> {
  const found: { estimate?: Estimate; problem: string } = { problem: "no result" };
  const events: ShardEvents = {
    progress: () => undefined,
    metrics: () => undefined,
    log: () => undefined,
    result: (_id, { estimate, reason }) => {
      if (estimate === null) found.problem = reason;
      else found.estimate = estimate;
    },
    failed: (_id, kind, reason) => (found.problem = `${kind}: ${reason}`),
  };
  await runShard(engine, { cells: [cell] }, events, new AbortController().signal);
  if (found.estimate !== undefined) return found.estimate;
  throw new OccamError("internal", `a cell of the selftest has no estimate: ${found.problem}`);
}

export const estimateOf = (given: CellGiven, bench: Bench): Promise<Estimate> =>
  estimateOfCell(cellOfGiven(given, bench), bench);

export function readingOf({ lambdaHat, lambdaSe, verdict, verdictReason }: Estimate): Reading {
  return { estimate: lambdaHat, se: lambdaSe, verdict, reason: verdictReason };
}
