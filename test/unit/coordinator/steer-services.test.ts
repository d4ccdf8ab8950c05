/** Steering over real gRPC: what is asked for arrives, is audited, durable, and shown. */
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../coordinator/limits.ts";
import {
  CellState,
  ExplainCellResponse,
  OperatorServiceService as Service,
  RerunWhat,
  WorkerState,
} from "../../../proto/gen/occam/v1/operator.ts";
import type { Grant } from "../../../proto/gen/occam/v1/control.ts";
import { openOperator } from "../../../src/cli/operator.ts";
import { explanationJson, explanationText } from "../../../src/cli/explanation.ts";
import { paintFor } from "../../../src/cli/output/paint.ts";
import { faultsLine, sweepLine } from "../../../src/cli/sweep-text.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { callUnary, readStream } from "../../../src/rpc/client-calls.ts";
import {
  all,
  batch,
  commit,
  commitResult,
  connection,
  coordinator,
  line,
  listCells,
  push,
  restart,
  startWith,
  submit,
  sync,
  syncRequest,
  tail,
  takeShard,
  TOKEN,
} from "./services-fixture.ts";

const operator = () => openOperator({ address: coordinator.address, token: TOKEN }, systemClock);
const failure = { $case: "failure" as const, value: { kind: 1 as const, reason: "the disk is full" } };
const FAST = { timings: { retryMs: 1, tickMs: 5 } };

/** Fails one cell until it is quarantined. */
async function quarantineOne(): Promise<string> {
  await startWith(FAST);
  await submit();
  const grant = await takeShard();
  const { cellId } = grant.cells[0]!;
  // Other cells have results, so that the sweep is not suspected.
  await commitResult(grant, grant.cells[1]!.cellId, 1);
  const messages = Array.from({ length: LIMITS.explainedLines + 10 }, (_, index) => line(`line ${index}`));
  await push(batch(grant, cellId, { logs: messages }));
  await commit(grant, cellId, failure);
  for (let round = 0; round < 2; round += 1) {
    await commit(await grantOf(cellId), cellId, failure);
  }
  return cellId;
}

/** Asks for shards until one has the cell, which waits for its next try at first. */
async function grantOf(cellId: string): Promise<Grant> {
  for (;;) {
    const { grants } = await sync({ freeSlots: 8 });
    const found = grants.find((grant) => grant.cells.some((cell) => cell.cellId === cellId));
    if (found !== undefined) return found;
    await systemClock.sleep(5);
  }
}

describe("an operator", () => {
  it("submits with priority, workers and requirements, changes, pauses and resumes; all outlives a restart", async () => {
    await submit({ priority: -2, maxWorkers: 3, require: ["zone=a"] });
    let client = operator();
    expect(await client.sweep("moons")).toMatchObject({ priority: -2, maxWorkers: 3, require: ["zone=a"], paused: "" });
    await client.change({ sweep: "moons", priority: 7, maxWorkers: undefined });
    for (let count = 0; count < 2; count += 1) await client.pause("moons", "a mistake");
    client.close();
    await restart();
    client = operator();
    const sweep = await client.sweep("moons");
    expect(sweep).toMatchObject({ priority: 7, maxWorkers: 3, require: ["zone=a"], paused: "a mistake (owner)" });
    expect(sweepLine(sweep)).toMatch(/paused \(a mistake \(owner\)\), priority 7, 0\/12 cells done/u);
    expect((await sync({ capabilities: { ...syncRequest().capabilities!, labels: { zone: "a" } } })).grants).toEqual(
      [],
    );
    await client.resume("moons");
    const { grants } = await sync({ capabilities: { ...syncRequest().capabilities!, labels: { zone: "a" } } });
    expect(grants).toHaveLength(1);
    const audit = (await all(tail({ workerId: "audit" }))).map(({ record }) => record!.message);
    for (const action of ["SubmitSweep", "ChangeSweep", "PauseSweep", "ResumeSweep"]) {
      expect(audit.filter((message) => message.includes(action))).not.toEqual([]);
    }
    client.close();
  });

  it("reruns what failed, and is told how many", async () => {
    await quarantineOne();
    const client = operator();
    const asked = { sweep: "moons", what: RerunWhat.RERUN_WHAT_FAILED };
    expect(await callUnary(connection.operator, Service.rerunSweep, asked)).toMatchObject({ cells: 1 });
    expect(await callUnary(connection.operator, Service.rerunSweep, asked)).toMatchObject({ cells: 0 });
    expect(await client.rerun("moons", RerunWhat.RERUN_WHAT_STALE)).toMatchObject({ cells: 0 });
    await expect(client.rerun("moons", 0)).rejects.toMatchObject({ code: "protocol" });
    client.close();
  });

  it("is refused more requirements, labels and characters than there may be", async () => {
    const many = Array.from({ length: LIMITS.requirements + 1 }, (_, index) => `l${index}=x`);
    await expect(submit({ require: many })).rejects.toMatchObject({ code: "protocol" });
    await expect(submit({ require: ["zone=\u0007"] })).rejects.toMatchObject({ code: "protocol" });
    await expect(submit({ require: ["nothing"] })).rejects.toMatchObject({ code: "bad-usage" });
    const labels = Object.fromEntries(many.map((text) => [text, "x"]));
    const capabilities = { ...syncRequest().capabilities!, labels };
    await expect(sync({ capabilities })).rejects.toMatchObject({ code: "protocol" });
  });

  it("replaces the running sweep of a name", async () => {
    const first = (await submit()).sweep!.sweepId;
    const text = (await operator().sweep("moons")).specText.replace("replicates: 3", "replicates: 4");
    const { replaced, sweep } = await submit({ specText: text, replace: true });
    expect(replaced).toEqual([first]);
    expect(sweep!.counts).toMatchObject({ total: 16, pending: 16 });
  });
});

describe("a quarantined cell", () => {
  it("is explained with its reason, what would help, and its last log lines", async () => {
    const cellId = await quarantineOne();
    const client = operator();
    const explained = await client.explain(cellId.slice(0, 10), "");
    expect(explained).toMatchObject({
      cellId,
      state: CellState.CELL_STATE_QUARANTINED,
      attempts: 3,
      failed: 3,
      lost: 0,
    });
    expect(explained.because).toEqual(["it is quarantined: failed 3 times (on w1); the last: the disk is full"]);
    expect(explained.remedies[0]).toMatch(/occam rerun moons-.* --failed/u);
    expect(explained.logTail).toHaveLength(LIMITS.explainedLines);
    const text = explanationText(explained, paintFor(false));
    expect(text).toContain("3 attempts, 3 failed, 0 lost, 0 out of memory, 0 handed back");
    expect(text).toMatch(/last log lines:[^]*line 59[^]*quarantined: failed 3 times/u);
    expect(explanationJson(explained)).toMatchObject({ state: "quarantined", failed: 3 });
    await expect(client.explain("ffff", "")).rejects.toMatchObject({ code: "not-found" });
    const sweep = await client.sweep("moons");
    expect(faultsLine(sweep)).toBe("3 failed");
    expect(explanationText(ExplainCellResponse.fromPartial({ state: 2 }), paintFor(false))).not.toContain("log");
    client.close();
  });

  it("brings its last lines in a listing that asks for them", async () => {
    const cellId = await quarantineOne();
    const asked = { sweep: "moons", states: [], cellId: "", logLines: 3 };
    const rows = await all(readStream(connection.operator, Service.listCells, asked));
    const quarantined = rows.filter((row) => row.logTail.length > 0);
    expect(quarantined.map((row) => row.cellId)).toEqual([cellId]);
    expect(quarantined[0]!.logTail.slice(0, 2)).toEqual(["line 58", "line 59"]);
    expect((await listCells())[0]).toMatchObject({ logTail: [], oom: 0, preempted: 0 });
  });
});

describe("a broken worker", () => {
  it("is shown with its reason, and gets cells again when it is reset", async () => {
    await startWith({ timings: { retryMs: 600_000 } });
    await submit();
    await sync({ workerId: "other", sessionId: "o", freeSlots: 0 });
    const grant = await takeShard();
    for (const { cellId } of grant.cells.slice(0, 3)) await commit(grant, cellId, failure);
    const client = operator();
    const shown = async () => (await client.workers()).find(({ workerId }) => workerId === "w1")!;
    expect(await shown()).toMatchObject({
      state: WorkerState.WORKER_STATE_BROKEN,
      brokenReason: /3 cells one after the other .*disk is full/u,
    });
    expect((await sync({ freeSlots: 4 })).grants).toEqual([]);
    expect(await client.resetWorker("w1")).toMatchObject({ brokenReason: "" });
    expect((await sync({ freeSlots: 4 })).grants.length).toBeGreaterThan(0);
    await expect(client.resetWorker("nobody")).rejects.toMatchObject({ code: "not-found" });
    client.close();
  });
});
