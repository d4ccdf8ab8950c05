/** The coordinator's numbers: what reliability.md lays down, each beside its floor and how it was measured. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { postgresMissing, startPostgres } from "../../support/postgres-server.ts";
import type { Measurement } from "../measurement.ts";
import type { Part } from "../part.ts";
import { cellsRows } from "./cells-bench.ts";
import { benchMissing } from "./coordinator-process.ts";
import { floodRows } from "./flood-bench.ts";
import { scaleRows } from "./scale-bench.ts";
import { tailsRows } from "./tails-bench.ts";
import { idleRows, reconnectRows, startRows } from "./waiting-bench.ts";

/** How much of everything: the short form is for every day, the long one for the numbers that are published. */
interface Size {
  readonly largeSweep: number;
  readonly cells: number;
  readonly sweeps: number;
  readonly idleWorkers: number;
  readonly idleMs: number;
  readonly reconnecting: number;
  readonly floodMs: number;
  /** One client may have 64 calls open. */
  readonly tails: number;
  readonly tailsMs: number;
}

const SHORT: Size = { largeSweep: 50_000, cells: 10_000, sweeps: 50, idleWorkers: 200, idleMs: 8_000, reconnecting: 200, floodMs: 5_000, tails: 20, tailsMs: 5_000 }; // prettier-ignore
const LONG: Size = { largeSweep: 1_000_000, cells: 100_000, sweeps: 300, idleWorkers: 2_000, idleMs: 30_000, reconnecting: 1_000, floodMs: 20_000, tails: 60, tailsMs: 20_000 }; // prettier-ignore

const WORKERS = 100;
/** Cells of a fused program that end together. */
const FUSED = 64;
const STREAMS = 8;

export const coordinatorPart: Part = {
  name: "coordinator",
  summary: "the coordinator's speed, memory and recovery, against its floors; --long for the whole sizes",
  needsEngine: false,
  run: async ({ long, groups, say }) => {
    if (benchMissing !== undefined) return { skipped: benchMissing };
    const folder = mkdtempSync(join(tmpdir(), "occam-bench-"));
    const rows: Measurement[] = [];
    try {
      for (const [name, measure] of groupsOf(long ? LONG : SHORT)) {
        if (groups.length > 0 && !groups.some((group) => name.includes(group))) continue;
        say(name);
        rows.push(...(await measure(mkdtempSync(join(folder, "store-")))));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return rows;
  },
};

type Group = readonly [name: string, measure: (store: string) => Promise<readonly Measurement[]>];

function groupsOf(size: Size): readonly Group[] {
  const load = { cells: size.cells, workers: WORKERS, place: "sqlite" };
  return [
    ["no-op cells", (store) => cellsRows(store, { ...load, perCall: FUSED })],
    ["no-op cells, one by one", (store) => cellsRows(store, { ...load, cells: size.cells / 10, perCall: 1 })],
    ["pending to start", (store) => startRows(store, size.sweeps, WORKERS)],
    ["idle workers", (store) => idleRows(store, size.idleWorkers, size.idleMs)],
    ["reconnecting workers", (store) => reconnectRows(store, size.reconnecting)],
    ["metric flood", (store) => floodRows(store, STREAMS, size.floodMs)],
    ["log tails", (store) => tailsRows(store, size.tails, STREAMS, size.tailsMs)],
    ["one large sweep", (store) => scaleRows(store, size.largeSweep, "sqlite")],
    [
      "no-op cells on PostgreSQL",
      onPostgres((store) => cellsRows(store, { ...load, perCall: FUSED, place: "postgres" })),
    ],
    ["one large sweep on PostgreSQL", onPostgres((store) => scaleRows(store, size.largeSweep, "postgres"))],
  ];
}

/** In an empty database of a server of its own; nothing where there is no PostgreSQL. */
const onPostgres =
  (measure: Group[1]): Group[1] =>
  async () => {
    if (postgresMissing !== undefined) return [];
    const server = await startPostgres();
    try {
      return await measure(await server.newDatabase());
    } finally {
      await server.remove();
    }
  };
