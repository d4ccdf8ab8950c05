/**
 * A whole sweep by the built `occam run`, start-up, commits and report included: the 32 cells of grid-32.yaml on two workers,
 * three times. Where the time goes comes from the cells' own timings, on the worker that computed most; what is left over is start-up, commits and report, for
 * which a sweep of the same cells that hardly computes is run beside it.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { parse, stringify } from "yaml";
import { systemClock } from "../../src/core/clock.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { measured, type Measurement, type Rounds } from "./measurement.ts";
import type { Part } from "./part.ts";

const MAIN = fileURLToPath(new URL("../../src/cli/main.js", import.meta.url));
const SPEC = fileURLToPath(new URL("../../../test/bench/grid-32.yaml", import.meta.url));
const CELLS = 32;
const WORKERS = 2;
const RUNS = 3;

export const gridPart: Part = {
  name: "grid",
  summary: `${CELLS} cells by the built occam run on ${WORKERS} workers, start-up included, ${RUNS} times`,
  run: async (engine) => {
    if (!existsSync(MAIN)) return { skipped: `${MAIN} is not there: run npm run build first` };
    const folder = mkdtempSync(join(tmpdir(), "occam-bench-"));
    try {
      return await gridRows(engine, folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function gridRows(engine: Engine, folder: string): Promise<readonly Measurement[]> {
  const idle = join(folder, "idle.yaml");
  writeFileSync(idle, hardlyComputes(readFileSync(SPEC, "utf8")));
  const whole: Ran[] = [];
  const idles: Ran[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    whole.push(await sweep(engine, SPEC, join(folder, `whole-${run}`)));
    idles.push(await sweep(engine, idle, join(folder, `idle-${run}`)));
  }
  const of = (ran: readonly Ran[], value: (ran: Ran) => number): Rounds => ran.map(value);
  const wall = { name: "whole sweep", rounds: of(whole, ({ wallS }) => wallS) };
  return [
    measured(`${CELLS} cells, ${WORKERS} workers, whole sweep`, "s", wall.rounds),
    measured(`${CELLS} cells, ${WORKERS} workers`, "cells/min", of(whole, ({ wallS }) => (60 * CELLS) / wallS)), // prettier-ignore
    measured("training, of the busiest worker", "s", of(whole, ({ trainS }) => trainS), wall), // prettier-ignore
    measured("estimates, of the busiest worker", "s", of(whole, ({ estimateS }) => estimateS), wall), // prettier-ignore
    measured("all else", "s", of(whole, ({ wallS, trainS, estimateS }) => wallS - trainS - estimateS), wall), // prettier-ignore
    measured("the same cells, hardly computing", "s", of(idles, ({ wallS }) => wallS), wall), // prettier-ignore
    measured("cells of the busiest worker", "cells", of(whole, ({ cells }) => cells)), // prettier-ignore
    measured("cells of its widest program", "cells", of(whole, ({ width }) => width)), // prettier-ignore
  ];
}

/** One step, the least that is sampled, a kernel of one row. */
function hardlyComputes(spec: string): string {
  const sweep = parse(spec) as { train: object; estimate: object };
  const train = { ...sweep.train, steps: 1 };
  const estimate = { ...sweep.estimate, budget: 20, kernelRows: 1 };
  return stringify({ ...sweep, name: "grid-32-idle", train, estimate });
}

/** How a sweep went; computing is that of the worker that computed most. */
interface Ran {
  readonly wallS: number;
  readonly trainS: number;
  readonly estimateS: number;
  readonly cells: number;
  /** Cells of the widest program. */
  readonly width: number;
}

async function sweep({ backend }: Engine, spec: string, out: string): Promise<Ran> {
  const startMs = systemClock.monotonicMs();
  const args = [MAIN, "run", spec, "--out", out, "--workers", String(WORKERS), "--backend", backend];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`occam run ${spec} ended with ${status}:\n${stderr}`);
  const wallS = (systemClock.monotonicMs() - startMs) / 1000;
  const file = await asyncBufferFromFile(join(out, "results.parquet"));
  const rows = await parquetReadObjects({ file, columns: ["worker", "train_ms", "estimate_ms", "fuse_width"] });
  const byWorker = [...new Set(rows.map(({ worker }) => worker))].map((name) =>
    rows.filter((row) => row["worker"] === name),
  );
  const computed = (of: typeof rows): number => total(of, "train_ms") + total(of, "estimate_ms");
  const busiest = byWorker.toSorted((a, b) => computed(b) - computed(a))[0] ?? [];
  return {
    wallS,
    trainS: total(busiest, "train_ms") / 1000,
    estimateS: total(busiest, "estimate_ms") / 1000,
    cells: busiest.length,
    width: Math.max(...busiest.map((row) => Number(row["fuse_width"]))),
  };
}

function total(rows: readonly Readonly<Record<string, unknown>>[], column: string): number {
  return rows.reduce((sum, row) => sum + Number(row[column]), 0);
}
