/** Rebuilds the coordinator's memory from its store at a start. */
import type { Hot } from "./hot.ts";
import { giverOf, type HotCell } from "./cell-book.ts";
import type { Sweep } from "./sweep.ts";
import { adoptableLease } from "../lease/lease-state.ts";
import { endLease } from "../lease/attempts.ts";
import { LIMITS } from "../limits.ts";
import type { StoredCounts, StoredLease } from "../store/store.ts";

/** Cells of one page: few enough that what is made of a page and not kept is gone before V8 takes it for something that lasts. */
const PAGE = 4_000;

/** @throws OccamError "store-corrupt" */
export async function recover(hot: Hot): Promise<void> {
  try {
    await rebuild(hot);
  } catch (error) {
    // A damaged page may be read before the check has come to it; the check says it better.
    await hot.store.sound();
    throw error;
  }
  await hot.store.sound();
}

async function rebuild(hot: Hot): Promise<void> {
  for (const record of await hot.store.loadSweeps()) hot.sweeps.add(record);
  for (const counts of await hot.store.loadCounts()) count(hot, counts);
  for (const { fuseKey, ...group } of await hot.store.loadFuseGroups()) hot.work.setGroup(fuseKey, group);
  hot.sessions.restore(await hot.store.loadSessions(LIMITS.sessions), await hot.store.loadCommitCounts());
  hot.health.restore(await hot.store.loadBrokenWorkers(), hot.leaseClock.nowMs());
  const leases = await hot.store.loadOpenLeases();
  const leased = await restoreCells(hot, new Set(leases.flatMap((lease) => lease.openCells)));
  for (const lease of leases) restoreLease(hot, lease, leased);
  await hot.writer.settled();
}

function count(hot: Hot, { sweepSeq, state, diverged, cached, count: cells, faults }: StoredCounts): void {
  const [sweep] = hot.sweeps.bySeqs([sweepSeq]);
  if (sweep === undefined) return;
  sweep.countFaults(faults);
  sweep.counts[state] += cells;
  if (state !== "committed") return;
  if (diverged) sweep.counts.diverged += cells;
  if (cached) sweep.counts.cached += cells;
}

/** Those of `wanted` by their keys. */
async function restoreCells(hot: Hot, wanted: ReadonlySet<number>): Promise<ReadonlyMap<number, HotCell>> {
  const byKey = new Map<number, HotCell>();
  const lists = new Map<readonly number[], readonly Sweep[]>();
  for (let after = 0; ;) {
    const page = await hot.store.loadPendingCells(after, PAGE);
    if (page.length === 0) return byKey;
    for (const stored of page) {
      let sweeps = lists.get(stored.sweeps);
      if (sweeps === undefined) lists.set(stored.sweeps, (sweeps = hot.sweeps.bySeqs(stored.sweeps)));
      for (const sweep of sweeps) {
        sweep.counts.pending += 1;
        if (stored.attempts > 0) sweep.countFaults(stored);
      }
      const cell = hot.cells.restore(stored, sweeps);
      if (wanted.has(stored.key)) byKey.set(stored.key, cell);
    }
    after = page.at(-1)!.key;
  }
}

/** Its worker may still run it: it waits for that worker to say so. */
function restoreLease(hot: Hot, stored: StoredLease, byKey: ReadonlyMap<number, HotCell>): void {
  const { token, workerId, sessionId, fuseKey, width } = stored;
  const cells = stored.openCells.flatMap((key) => byKey.get(key) ?? []);
  const state = adoptableLease(hot.leaseClock.nowMs(), hot.timings);
  const { flopsPerCell } = hot.work.group(fuseKey);
  // Not stored: whichever sweep would give the first of them out now.
  const sweepSeq = giverOf(cells[0]?.sweeps ?? [])?.seq ?? 0;
  const lease = hot.leases.add({ token, workerId, sessionId, fuseKey, sweepSeq, width, cells, state, flopsPerCell });
  for (const cell of cells) hot.cells.apply(cell, { kind: "restored", token });
  const session = hot.sessions.get(workerId);
  if (session?.sessionId === sessionId) hot.sessions.attach(session, lease);
  if (cells.length === 0) endLease(hot, lease, { kind: "emptied" });
}
