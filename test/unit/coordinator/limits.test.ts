/** Every limit of the coordinator on what a caller may send, at the limit and one above, over real gRPC where that is the way. */
import { LOG_FIELDS_CHARS, LOG_MESSAGE_CHARS } from "../../../src/wire/bound-line.ts";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { StreamKind } from "../../../proto/gen/occam/v1/bulk.ts";
import { CommitOutcome, ControlServiceService, type CommitRequest } from "../../../proto/gen/occam/v1/control.ts";
import { CellState, OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { SessionBook } from "../../../coordinator/hot/session-book.ts";
import { StreamBook } from "../../../coordinator/ingest/stream-book.ts";
import { LIMITS } from "../../../coordinator/limits.ts";
import { asLeaseToken, asSessionId, asWorkerId } from "../../../src/core/ids.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { HandWorker, madeUpResult, openWorld } from "./coordinator-fixture.ts";
import {
  all,
  batch,
  commit,
  connection,
  heldOf,
  line,
  listCells,
  push,
  startWith,
  submit,
  sync,
  tail,
  takeShard,
} from "./services-fixture.ts";

/** How the coordinator cuts its own work: nothing that a caller could exceed. */
const INTERNAL = new Set([
  "sweepPoints",
  "expandChunk",
  "expandSliceMs",
  "pageRows",
  "logPageRows",
  "pushWindow",
  "transactionChanges",
  "sessions",
  "logScanRows",
  "logPageChars",
  "logPageLines",
  "ingestBytes",
]);

const tooMuch = { code: "protocol", message: /too much.*the limit is/u };
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

it("every limit has a test", () => {
  const folder = new URL(".", import.meta.url).pathname;
  const tests = readdirSync(folder).map((file) => readFileSync(folder + file, "utf8"));
  const untested = Object.keys(LIMITS).filter((name) => !tests.some((text) => text.includes(`LIMITS.${name}`)));
  expect(untested.filter((name) => !INTERNAL.has(name))).toEqual([]);
});

describe("a call of commits", () => {
  it("answers each of so many in their order, and no more of them are taken", async () => {
    await submit();
    const grant = await takeShard();
    const commits = grant.cells.map(({ cellId }): CommitRequest => ({
      workerId: "w1",
      sessionId: "s1",
      cellId,
      token: grant.token,
      outcome: { $case: "result", value: { ...madeUpResult(1), metricCount: 0n, logCount: 0n } },
    }));
    const unknown = { ...commits[0]!, cellId: "f".repeat(64) };
    const call = (requests: readonly CommitRequest[]) =>
      callUnary(connection.control, ControlServiceService.commitAll, { commits: requests });
    const { responses } = await call([...commits, unknown]);
    const { COMMIT_OUTCOME_COMMITTED: committed, COMMIT_OUTCOME_FENCED: fenced } = CommitOutcome;
    expect(responses.map(({ outcome }) => outcome)).toEqual([...commits.map(() => committed), fenced]);
    expect((await call(times(LIMITS.commitsPerCall, commits[0]!))).responses).toHaveLength(LIMITS.commitsPerCall);
    await expect(call(times(LIMITS.commitsPerCall + 1, commits[0]!))).rejects.toMatchObject(tooMuch);
  });
});

describe("a sync", () => {
  it("lists so many leases, and texts that are so long", async () => {
    const held = { token: 1n, phase: 1 as const, step: 0n, steps: 0n };
    expect((await sync({ held: times(LIMITS.heldLeases, held), freeSlots: 0 })).revocations).toHaveLength(
      LIMITS.heldLeases,
    );
    await expect(sync({ held: times(LIMITS.heldLeases + 1, held) })).rejects.toMatchObject(tooMuch);
    const long = "x".repeat(LIMITS.idChars + 1);
    await expect(sync({ workerId: long })).rejects.toMatchObject(tooMuch);
    await expect(sync({ sessionId: long })).rejects.toMatchObject(tooMuch);
    const capabilities = {
      backend: "wasm",
      maxFuseWidth: 1,
      memoryBytes: 0n,
      host: "here",
      pid: 1,
      packageVersion: "0",
      numericsVersion: 0,
      labels: {},
    };
    for (const field of ["backend", "host", "packageVersion"]) {
      await expect(sync({ capabilities: { ...capabilities, [field]: long } })).rejects.toMatchObject(tooMuch);
    }
    expect((await sync({ workerId: long.slice(1), sessionId: long.slice(1) })).fenced).toBe(false);
  });

  it("is granted so many shards of so many cells", async () => {
    const world = await openWorld();
    const worker = new HandWorker(() => world);
    worker.maxFuseWidth = 1_000_000;
    await world.submit({ name: "many", cells: 5_000, fuseKeys: 1 });
    const { grants } = await worker.sync({ freeSlots: 1_000_000 });
    expect(grants.length).toBeLessThanOrEqual(LIMITS.slotsPerSync);
    expect(Math.max(...grants.map(({ cells }) => cells.length))).toBe(LIMITS.shardCells);
  });

  it("of one worker too many is refused until one is long gone", () => {
    const book = new SessionBook(1, 10, { workers: 2, forgetMs: 100 });
    const arrive = (id: string, nowMs: number) => {
      const arrival = {
        workerId: asWorkerId(id),
        sessionId: asSessionId(`of ${id}`),
        capabilities: undefined,
        draining: false,
      };
      return book.arrive(arrival, nowMs, nowMs).kind;
    };
    expect([arrive("a", 0), arrive("b", 50), arrive("c", 90), arrive("b", 95)]).toEqual([
      "new",
      "new",
      "full",
      "current",
    ]);
    expect([arrive("c", 100), arrive("d", 110)]).toEqual(["new", "full"]);
    expect([...book.all()].map(({ workerId }) => workerId)).toEqual(["b", "c"]);
    expect(LIMITS.workers).toBeGreaterThanOrEqual(10_000);
  });
});

describe("a batch", () => {
  /** An answer, and the call goes on: an error would have it sent again. */
  const refused = { nextOffset: 0n, fenced: false, refused: expect.stringContaining("too much") };

  it("has so many lines, and each so many characters; what is cut is marked", async () => {
    await sync();
    const own = (logs: ReturnType<typeof line>[], firstOffset = 0n) =>
      push(batch(undefined, "", { logs, firstOffset }));
    expect(await own(times(LIMITS.batchLines + 1, line("x")))).toMatchObject([refused]);
    expect(await own(times(LIMITS.batchLines, line("x")))).toMatchObject([{ nextOffset: BigInt(LIMITS.batchLines) }]);
    const long = {
      ...line("y".repeat(LOG_MESSAGE_CHARS + 5)),
      fieldsJson: `"${"z".repeat(LOG_FIELDS_CHARS)}"`,
    };
    await own([long], BigInt(LIMITS.batchLines));
    const [last] = await all(tail({ last: 1 }));
    expect(last!.record!.message).toMatch(/y … \(5 more characters\)$/u);
    expect(JSON.parse(last!.record!.fieldsJson)).toEqual({ droppedFieldsChars: LOG_FIELDS_CHARS + 2 });
  });

  it("has so many points of so many series with such names", async () => {
    await submit();
    const grant = await takeShard();
    const points = (count: number, names: string[]) =>
      push(
        batch(grant, grant.cells[0]!.cellId, {
          kind: StreamKind.STREAM_KIND_METRICS,
          metrics: { names, name: times(count, 0), step: times(count, 0n), value: times(count, 1) },
        }),
      );
    expect(await points(LIMITS.batchPoints + 1, ["loss"])).toMatchObject([refused]);
    expect(await points(1, times(LIMITS.batchSeries + 1, "loss"))).toMatchObject([refused]);
    expect(await points(1, ["x".repeat(LIMITS.seriesNameChars + 1)])).toMatchObject([refused]);
    const answers = await points(LIMITS.batchPoints, times(LIMITS.batchSeries, "x".repeat(LIMITS.seriesNameChars)));
    expect(answers).toMatchObject([{ nextOffset: BigInt(LIMITS.batchPoints), fenced: false }]);
  });

  it("of an own log that was written long ago leaves memory, and goes on where it ended", async () => {
    const book = new StreamBook(1, 1);
    const keyOf = (session: number) =>
      ({ kind: "logs", cellKey: 0, token: asLeaseToken(0n), sessionId: `s${session}` }) as const;
    for (let session = 0; session < 5; session += 1) {
      const stream = book.open(keyOf(session), undefined);
      book.extend(stream, 3);
      if (session > 0) book.durable(stream);
      book.boundOwnLogs(keyOf(session), 2);
    }
    const inMemory = [0, 1, 2, 3, 4].filter((session) => book.get(keyOf(session)) !== undefined);
    // The first is not durable yet, and stays until it is.
    expect(inMemory).toEqual([0, 3, 4]);
    book.durable(book.get(keyOf(0))!);
    expect(book.get(keyOf(0))).toBeUndefined();
    expect(LIMITS.ownLogs).toBeGreaterThanOrEqual(10_000);
  });
});

describe("a commit", () => {
  it("has a result of so many characters, and a reason that is cut", async () => {
    await startWith({ timings: { retryMs: 1, tickMs: 10 } });
    await submit();
    const grant = await takeShard();
    const [first, second] = grant.cells.map(({ cellId }) => cellId);
    const json = "x".repeat(LIMITS.resultChars + 1);
    const result = { $case: "result" as const, value: { json, digest: "", metricCount: 0n, logCount: 0n } };
    await expect(commit(grant, first!, result)).rejects.toMatchObject({ code: "protocol", message: /the limit is/u });
    for (let round = 0; round < 3; round += 1) {
      const lease = round === 0 ? grant : (await retaken(second!))!;
      const reason = "y".repeat(LIMITS.reasonChars * 2);
      await commit(lease, second!, { $case: "failure", value: { kind: 1, reason } });
    }
    const [cell] = await listCells([], second);
    expect(cell!.state).toBe(CellState.CELL_STATE_QUARANTINED);
    expect(cell!.reason.length).toBeLessThan(LIMITS.reasonChars * 2);
  });
});

/** Takes shards until one has the cell. */
async function retaken(cellId: string) {
  for (let round = 0; round < 20; round += 1) {
    const grants = (await sync({ waitMs: 2_000 })).grants;
    for (const grant of grants) {
      await sync({ freeSlots: 0, held: [heldOf(grant)] });
      if (grant.cells.some((cell) => cell.cellId === cellId)) return grant;
    }
  }
  return undefined;
}

describe("a question", () => {
  it("has so many ids or states", async () => {
    const find = (count: number) =>
      callUnary(connection.operator, OperatorServiceService.findCached, { cellIds: times(count, "0".repeat(64)) });
    await expect(find(LIMITS.findIds + 1)).rejects.toMatchObject(tooMuch);
    expect((await find(LIMITS.findIds)).cellIds).toEqual([]);
    await submit();
    await expect(listCells(times(LIMITS.stateFilters + 1, CellState.CELL_STATE_PENDING))).rejects.toMatchObject(
      tooMuch,
    );
    expect(await listCells(times(LIMITS.stateFilters, CellState.CELL_STATE_PENDING))).toHaveLength(12);
  });
});

describe("a submission", () => {
  it("has a file name and a request id of so many characters", async () => {
    const named = (fileName: string, requestId: string) => submit({ specText: "", fileName, requestId });
    await expect(named("x".repeat(LIMITS.fileNameChars + 1), "")).rejects.toMatchObject(tooMuch);
    await expect(named("x", "y".repeat(LIMITS.idChars + 1))).rejects.toMatchObject(tooMuch);
    await expect(named("x".repeat(LIMITS.fileNameChars), "y".repeat(LIMITS.idChars))).rejects.toMatchObject({
      code: "bad-spec",
    });
  });

  it("is refused while too many others are under way, with a hint to come back", async () => {
    const world = await openWorld();
    const names = Array.from({ length: LIMITS.submissions + 1 }, (_, index) => `sweep${index}`);
    const outcomes = await Promise.allSettled(names.map((name) => world.submit({ name, cells: 3 })));
    expect(outcomes.map(({ status }) => status)).toEqual([...times(LIMITS.submissions, "fulfilled"), "rejected"]);
    const { reason } = outcomes.at(-1) as PromiseRejectedResult;
    expect(reason).toMatchObject({ code: "resource-exhausted", hint: /try again/u });
    expect((await world.submit({ name: names.at(-1)!, cells: 3 })).created).toBe(true);
  });

  it("is refused when all sweeps together have too many unfinished cells", async () => {
    const world = await openWorld();
    const size = vi.spyOn(world.coordinator.hot.cells, "size", "get").mockReturnValue(LIMITS.openCells - 5);
    expect((await world.submit({ name: "fits", cells: 5 })).created).toBe(true);
    await expect(world.submit({ name: "over", cells: 6 })).rejects.toMatchObject({
      code: "resource-exhausted",
      message: /room.*: 5$/u,
    });
    size.mockRestore();
  });
});
