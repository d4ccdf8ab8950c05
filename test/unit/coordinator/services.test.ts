/** The three services over real gRPC on loopback, with a real store in a folder and a worker scripted by hand. */
import { describe, expect, it, vi } from "vitest";
import { BulkServiceService, StreamKind } from "../../../proto/gen/occam/v1/bulk.ts";
import { LogLevel } from "../../../proto/gen/occam/v1/common.ts";
import { CommitOutcome, type Grant } from "../../../proto/gen/occam/v1/control.ts";
import {
  CellState,
  OperatorServiceService,
  SweepState,
  WorkerState,
  type WatchSweepResponse,
} from "../../../proto/gen/occam/v1/operator.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { PACKAGE_VERSION } from "../../../src/core/version.ts";
import { callUnary, openDuplex, readStream } from "../../../src/rpc/client-calls.ts";
import {
  all,
  batch,
  commit,
  commitResult,
  connection,
  coordinator,
  folder,
  heldOf,
  line,
  listCells,
  push,
  restart,
  SPEC,
  start,
  submit,
  sync,
  tail,
  takeShard,
} from "./services-fixture.ts";

describe("a bulk call", () => {
  it("ends when a batch is nobody's, though its worker waits for the answer and sends nothing more", async () => {
    await submit();
    const grant = await takeShard();
    const duplex = openDuplex(connection.bulk, BulkServiceService.push);
    await duplex.send(batch(grant, "no\u0000body", { logs: [line("x")] }));
    await expect(all(duplex.responses)).rejects.toMatchObject({ code: "protocol" });
  });

  it("goes on after a batch that can never be taken, whose answer says why", async () => {
    await submit();
    const grant = await takeShard();
    const { cellId } = grant.cells[0]!;
    const uneven = { names: ["train.loss"], name: [0, 0], step: [0n], value: [1.5] };
    const answers = await push(
      batch(grant, cellId, { kind: StreamKind.STREAM_KIND_METRICS, metrics: uneven }),
      batch(grant, cellId, { logs: [line("begins")] }),
    );
    expect(answers).toMatchObject([
      { nextOffset: 0n, refused: "columns have 2, 1 and 1 entries" },
      { nextOffset: 1n, refused: "" },
    ]);
  });
});

describe("a sweep from its submission to its end", () => {
  it("is expanded, granted with configurations, reported, committed and listed with results", async () => {
    const { sweep, created } = await submit();
    expect(created).toBe(true);
    expect(sweep).toMatchObject({ name: "moons", state: SweepState.SWEEP_STATE_RUNNING, specText: SPEC });
    expect(sweep!.counts).toMatchObject({ total: 12, pending: 12 });

    const grant = await takeShard();
    const configs = grant.cells.map((cell) => JSON.parse(cell.configJson) as { architecture: { width: number } });
    expect(new Set(configs.map((config) => config.architecture.width)).size).toBe(1);

    const [first, second] = grant.cells.map((cell) => cell.cellId);
    const columns = { names: ["train.loss"], name: [0, 0], step: [0n, 5n], value: [1.5, Number.NaN] };
    const answers = await push(
      batch(grant, first!, { kind: StreamKind.STREAM_KIND_METRICS, metrics: columns }),
      batch(grant, first!, { logs: [line("begins"), line("ends", LogLevel.LOG_LEVEL_WARN)] }),
    );
    expect(answers.map(({ nextOffset, fenced }) => [nextOffset, fenced])).toEqual([
      [2n, false],
      [2n, false],
    ]);
    expect((await commitResult(grant, first!, 2, 3n)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_INCOMPLETE);
    expect((await commitResult(grant, first!, 2, 2n, 2n)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_COMMITTED);
    expect((await commitResult(grant, first!, 2, 2n, 2n)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_DUPLICATE_SAME);
    expect((await commitResult(grant, first!, 9)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_DUPLICATE_DIFFERENT);

    const cells = await listCells();
    expect(cells.map((cell) => cell.gridIndex)).toEqual(Array.from({ length: 12 }, (_, index) => BigInt(index)));
    const done = cells.find((cell) => cell.cellId === first)!;
    expect(done).toMatchObject({ state: CellState.CELL_STATE_COMMITTED, workerId: "w1", attempts: 1, cached: false });
    expect(JSON.parse(done.resultJson)).toMatchObject({ estimate: { lambdaHat: 2 } });
    expect(cells.find((cell) => cell.cellId === second)!.state).toBe(CellState.CELL_STATE_RUNNING);
    expect((await listCells([CellState.CELL_STATE_RUNNING])).length).toBe(grant.cells.length - 1);
    expect((await listCells([], first!.slice(0, 16))).map((cell) => cell.cellId)).toEqual([first]);
    await expect(listCells([], "xyz")).rejects.toMatchObject({ code: "not-found" });

    const series = await all(
      readStream(connection.operator, OperatorServiceService.listSeries, {
        sweep: "moons",
        cellId: "",
        namePrefix: "train",
      }),
    );
    expect(series).toEqual([{ cellId: first, metrics: columns }]);
  });

  it("goes on over a restart of the coordinator, and ends", async () => {
    await submit();
    const grant = await takeShard();
    await commitResult(grant, grant.cells[0]!.cellId, 1);
    const before = await callUnary(connection.operator, OperatorServiceService.getServer, {});
    await restart();
    const after = await callUnary(connection.operator, OperatorServiceService.getServer, {});
    expect(after.coordinatorEpoch).toBe(before.coordinatorEpoch + 1n);
    expect(after).toMatchObject({ packageVersion: PACKAGE_VERSION, store: `sqlite ${folder}` });
    expect((await submit()).created).toBe(false);
    expect((await sync({ freeSlots: 0, held: [heldOf(grant)] })).renewals).toHaveLength(1);
    for (const cell of grant.cells.slice(1)) await commitResult(grant, cell.cellId, 1);
    for (;;) {
      const [next] = (await sync()).grants;
      if (next === undefined) break;
      for (const cell of next.cells) await commitResult(next, cell.cellId, 1);
    }
    const { sweep } = await callUnary(connection.operator, OperatorServiceService.getSweep, { sweep: "moons" });
    expect(sweep).toMatchObject({ state: SweepState.SWEEP_STATE_FINISHED, counts: { committed: 12, total: 12 } });
    const ids = grant.cells.map((cell) => cell.cellId);
    const { cellIds } = await callUnary(connection.operator, OperatorServiceService.findCached, {
      cellIds: [...ids, "0".repeat(64)],
    });
    expect([...cellIds].sort()).toEqual([...ids].sort());
  });

  it("with mistakes is refused with all of them", async () => {
    const specText = SPEC.replace("kind: moons", "kind: moon").replace("kind: sgd", "kind: sdg");
    await expect(submit({ specText })).rejects.toMatchObject({
      code: "bad-spec",
      message: expect.stringMatching(/moons\.yaml:3:.*moons\.yaml:7:/su),
    });
    // A server of PostgreSQL takes no NUL, and one write that fails ends a coordinator.
    await expect(submit({ specText: `${SPEC}# \0\n` })).rejects.toMatchObject({ code: "bad-spec" });
    await expect(submit({ fileName: "a\0b.yaml" })).rejects.toMatchObject({ code: "bad-spec" });
  });

  it("is cancelled, tells its worker, and goes on when it is submitted again", async () => {
    await submit();
    const grant = await takeShard();
    const { sweep } = await callUnary(connection.operator, OperatorServiceService.cancelSweep, { sweep: "moons" });
    expect(sweep).toMatchObject({ state: SweepState.SWEEP_STATE_CANCELLED, counts: { cancelled: 12 } });
    const { revocations } = await sync({ held: [heldOf(grant)] });
    expect(revocations).toEqual([{ token: grant.token, cellIds: [], reason: "its sweep was cancelled" }]);
    expect((await commitResult(grant, grant.cells[0]!.cellId, 1)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_FENCED);
    expect((await submit()).sweep!.counts).toMatchObject({ pending: 12, cancelled: 0 });
  });
});

describe("a worker", () => {
  it("that waits gets work as soon as it is submitted", async () => {
    const waiting = sync({ waitMs: 15_000 });
    await systemClock.sleep(50);
    await submit();
    expect((await waiting).grants).toHaveLength(1);
  });

  it("of another protocol version, or without a name, is refused", async () => {
    await expect(sync({ protocolVersion: 99 })).rejects.toMatchObject({ code: "unsupported" });
    await expect(sync({ workerId: "" })).rejects.toMatchObject({ code: "protocol" });
    await expect(sync({ workerId: "w\u001b[31m" })).rejects.toMatchObject({ code: "protocol" });
    await expect(commit({ token: 1n } as Grant, "c", undefined)).rejects.toMatchObject({ code: "protocol" });
  });

  it("is listed with what it does", async () => {
    await submit();
    const grant = await takeShard();
    const { workers } = await callUnary(connection.operator, OperatorServiceService.listWorkers, {});
    expect(workers).toMatchObject([
      {
        workerId: "w1",
        state: WorkerState.WORKER_STATE_BUSY,
        cellsHeld: grant.cells.length,
        activity: `train 6/10, ${grant.cells.length} cells`,
        capabilities: { backend: "wasm", pid: 7 },
      },
    ]);
  });
});

describe("a watch", () => {
  it("begins with a snapshot, follows every change, and ends with the sweep", async () => {
    await submit();
    const snapshots: WatchSweepResponse[] = [];
    const watching = (async () => {
      const request = { sweep: "moons", minIntervalMs: 1 };
      for await (const each of readStream(connection.operator, OperatorServiceService.watchSweep, request)) {
        snapshots.push(each);
      }
    })();
    await vi.waitFor(() => expect(snapshots).toHaveLength(1));
    expect(snapshots[0]).toMatchObject({ etaMs: 0n, lowest: undefined });
    let lambdaHat = 0;
    for (;;) {
      const [grant] = (await sync()).grants;
      if (grant === undefined) break;
      for (const cell of grant.cells) await commitResult(grant, cell.cellId, (lambdaHat += 1));
    }
    await watching;
    const last = snapshots.at(-1)!;
    expect(last.sweep).toMatchObject({ state: SweepState.SWEEP_STATE_FINISHED, counts: { committed: 12 } });
    expect(last.lowest?.lambdaHat).toBe(1);
    expect(last.highest?.lambdaHat).toBe(12);
    expect(last.lowest?.label).toMatch(/learningRate=0\.0?1 width=[48] /u);
    expect(last.cellsPerMinute).toBeGreaterThan(0);
  });

  it("of a sweep that is not there is refused", async () => {
    const request = { sweep: "nothing", minIntervalMs: 0 };
    await expect(
      all(readStream(connection.operator, OperatorServiceService.watchSweep, request)),
    ).rejects.toMatchObject({
      code: "not-found",
    });
  });
});

describe("stopping", () => {
  it("ends long polls, watches and follows at once, and frees the store", async () => {
    await submit();
    const waiting = sync({ freeSlots: 1, waitMs: 20_000, held: [], draining: true }).catch(() => "ended");
    const idle = (async () => {
      for (let round = 0; round < 9; round += 1) await sync({ workerId: "w2", sessionId: "s2", freeSlots: 16 });
    })().catch(() => undefined);
    await idle;
    const request = { sweep: "moons", minIntervalMs: 0 };
    const watching = all(readStream(connection.operator, OperatorServiceService.watchSweep, request)).catch(
      () => "ended",
    );
    const following = all(tail({ follow: true })).catch(() => "ended");
    await systemClock.sleep(100);
    const startMs = systemClock.monotonicMs();
    await coordinator.stop();
    await Promise.all([waiting, watching, following]);
    expect(systemClock.monotonicMs() - startMs).toBeLessThan(1_500);
    await start();
  });
});
