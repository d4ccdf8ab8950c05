/** What must hold after every step of a run, and what must hold of the store after a restart and at the end. */
import type { Coordinator } from "../../coordinator/coordinator.ts";
import { isOpen } from "../../coordinator/lease/cell-state.ts";
import { decodeChunk } from "../../coordinator/ingest/metric-chunk.ts";
import type { Store } from "../../coordinator/store/store.ts";
import type { History } from "./history.ts";

/** A broken invariant. */
export class Violation extends Error {
  override readonly name = "Violation";
}

function must(condition: boolean, what: () => string): void {
  if (!condition) throw new Violation(what());
}

/** Cells, leases, queues and counts of the coordinator's memory fit together. */
export function checkMemory(coordinator: Coordinator): void {
  checkCells(coordinator);
  checkLeases(coordinator);
  checkCounts(coordinator);
}

function checkCells({ hot }: Coordinator): void {
  let queued = 0;
  for (const cell of hot.cells.all()) {
    const { state } = cell.life;
    if (state.kind === "pending" && cell.sweeps.some((sweep) => sweep.state === "running")) queued += 1;
    if (state.kind === "quarantined")
      must(state.reason !== "", () => `cell ${cell.id} is quarantined without a reason`);
    if (state.kind !== "leased" && state.kind !== "running") continue;
    const lease = hot.leases.get(state.token);
    const member = lease?.members.get(cell.id);
    must(
      lease !== undefined && lease.state.kind !== "ended" && member !== undefined && member.ended === undefined,
      () => `cell ${cell.id} is ${state.kind} under token ${state.token}, which does not hold it`,
    );
  }
  must(hot.work.size === queued, () => `${hot.work.size} cells are queued and ${queued} are pending`);
}

function checkLeases({ hot }: Coordinator): void {
  const nowMs = hot.leaseClock.nowMs();
  for (const lease of hot.leases.all()) {
    let open = 0;
    for (const { cell, ended } of lease.members.values()) {
      if (ended !== undefined) continue;
      open += 1;
      const state = hot.cells.get(cell.scope, cell.id)?.life.state;
      const holds = (state?.kind === "leased" || state?.kind === "running") && state.token === lease.token;
      must(holds, () => `lease ${lease.token} runs cell ${cell.id}, which is ${JSON.stringify(state?.kind)} elsewhere`);
    }
    must(open === lease.open, () => `lease ${lease.token} counts ${lease.open} open cells and has ${open}`);
    if (lease.state.kind === "ended") {
      must(open === 0, () => `lease ${lease.token} has ended with ${open} open cells`);
      continue;
    }
    must(open > 0, () => `lease ${lease.token} lives without a cell`);
    const overMs = nowMs - lease.state.deadlineMs;
    must(overMs <= hot.timings.tickMs, () => `lease ${lease.token} lives ${overMs} ms beyond its deadline`);
  }
}

function checkCounts({ hot }: Coordinator): void {
  for (const sweep of hot.sweeps.all()) {
    const counted = { pending: 0, leased: 0, running: 0 };
    for (const cell of hot.cells.all()) {
      const { kind } = cell.life.state;
      if (cell.sweeps.includes(sweep) && isOpen(cell.life.state)) counted[kind as keyof typeof counted] += 1;
    }
    const { pending, leased, running } = sweep.counts;
    must(
      pending === counted.pending && leased === counted.leased && running === counted.running,
      () => `sweep ${sweep.record.id} counts ${JSON.stringify(sweep.counts)} and has ${JSON.stringify(counted)}`,
    );
    must(
      sweep.state !== "finished" || sweep.open === 0,
      () => `sweep ${sweep.record.id} is finished with ${sweep.open} open cells`,
    );
  }
}

/** Tokens are granted in growing order; one result at the most was ever taken for a cell. */
export function checkHistory(history: History): void {
  const { granted } = history;
  // Grants reach workers out of order, but no token twice under two names: the store orders them.
  must(new Set(granted).size === granted.length, () => "a token was granted twice");
  const taken = new Map<string, bigint>();
  for (const { cellId, token } of history.committed) {
    const before = taken.get(cellId);
    must(before === undefined, () => `cell ${cellId} was committed under ${before} and again under ${token}`);
    taken.set(cellId, token);
  }
}

/** A lease is taken for lost only when it was not listed for a whole ttl. */
export function checkExpiry(coordinator: Coordinator, history: History, ended: Set<bigint>): void {
  const { hot } = coordinator;
  for (const lease of hot.leases.all()) {
    if (lease.state.kind !== "ended" || lease.state.end !== "lost" || ended.has(lease.token)) continue;
    ended.add(lease.token);
    const listedMs = history.listedMs.get(lease.token);
    if (listedMs === undefined) continue;
    const silentMs = hot.leaseClock.nowMs() - listedMs;
    must(silentMs >= hot.timings.leaseTtlMs, () => `lease ${lease.token} ended ${silentMs} ms after it was listed`);
  }
}

/** Everything that a worker was told is in the store. To be called when nothing is on its way to it. */
export async function checkPromises(store: Store, history: History): Promise<void> {
  for (const { cellId, token, digest } of history.committed) {
    const found = await store.findAttempt(token, cellId);
    must(
      found?.cell.state === "committed" && found.cell.digest === digest && found.ended === "committed",
      () => `cell ${cellId} was acknowledged as committed under ${token} and the store says ${found?.cell.state}`,
    );
  }
  for (const { cellId, token, kind, count } of history.acked.values()) {
    const key = (await store.findAttempt(token, cellId))?.cell.key;
    must(key !== undefined, () => `records of an attempt ${token} were acknowledged that the store does not know`);
    const stream = await store.findStream({ kind, cellKey: key!, token, sessionId: "" });
    const stored = stream?.nextOffset ?? 0;
    must(stored >= count, () => `${count} ${kind} of ${cellId} were acknowledged, ${stored} are stored`);
  }
  const findings = await store.listFindings();
  for (const { cellId, token, digest } of history.different) {
    must(
      findings.some((finding) => finding.cellId === cellId && finding.token === token && finding.digest === digest),
      () => `a different result of ${cellId} was acknowledged and is not recorded`,
    );
  }
}

/** What each cell came to, and that its streams are whole: record i of a stream is the i-th that was made. */
export async function checkOutcome(
  coordinator: Coordinator,
  sweepSeq: number,
  cells: number,
  expected: (index: number) => { readonly outcome: "committed" | "quarantined" | "either"; readonly points: number },
): Promise<void> {
  const { store } = coordinator.hot;
  const rows = await store.listCells({ sweepSeq, states: [], idPrefix: "" }, -1, cells + 1);
  must(rows.length === cells, () => `the sweep has ${rows.length} cells, not ${cells}`);
  const points = new Map<string, number>();
  for (const { cellId, data, firstOffset } of await allChunks(store, sweepSeq)) {
    const before = points.get(cellId) ?? 0;
    must(firstOffset === before, () => `a chunk of ${cellId} starts at ${firstOffset}, not at ${before}`);
    const { step } = decodeChunk(data);
    for (const [index, at] of step.entries()) {
      must(at === BigInt(before + index), () => `point ${before + index} of ${cellId} is that of step ${at}`);
    }
    points.set(cellId, before + step.length);
  }
  for (const row of rows) {
    const wanted = expected(row.gridIndex);
    const fits = wanted.outcome === "either" ? ["committed", "quarantined"] : [wanted.outcome];
    must(
      fits.includes(row.state),
      () => `cell ${row.gridIndex} is ${row.state} (${row.reason}), not ${wanted.outcome}`,
    );
    if (row.state === "quarantined") must(row.reason !== "", () => `cell ${row.gridIndex} has no reason`);
    if (row.state !== "committed") continue;
    const have = points.get(row.id) ?? 0;
    must(have === wanted.points, () => `cell ${row.gridIndex} has ${have} points of ${wanted.points}`);
  }
}

async function allChunks(store: Store, sweepSeq: number) {
  const chunks = [];
  let after = { gridIndex: -1, firstOffset: -1 };
  for (;;) {
    const page = await store.listChunks(sweepSeq, "", after, 50);
    chunks.push(...page);
    if (page.length < 50) return chunks;
    after = page.at(-1)!;
  }
}
