/** Metrics and logs under fault: F6 (a cut), F14 (a slow reader), F15 (a flood). Real coordinators and workers' parts; needs the build. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { afterEach, describe, expect, it } from "vitest";
import { BulkServiceService, StreamKind, type PushRequest } from "../../proto/gen/occam/v1/bulk.ts";
import { LogLevel } from "../../proto/gen/occam/v1/common.ts";
import { ControlServiceService, LeasePhase, type Grant, type SyncRequest } from "../../proto/gen/occam/v1/control.ts";
import {
  OperatorServiceService,
  SubmitSweepRequest,
  TailLogsRequest,
  type TailLogsResponse,
} from "../../proto/gen/occam/v1/operator.ts";
import { systemClock } from "../../src/core/clock.ts";
import { asCellId, asLeaseToken, asSessionId, asWorkerId } from "../../src/core/ids.ts";
import { rootKey } from "../../src/core/random.ts";
import { NUMERICS_VERSION, PACKAGE_VERSION, PROTOCOL_VERSION } from "../../src/core/version.ts";
import { callUnary, openDuplex, readStream } from "../../src/rpc/client-calls.ts";
import { connect, type Connection } from "../../src/rpc/client.ts";
import { newSpoolFile } from "../../worker/session/spool-folder.ts";
import { Spool } from "../../worker/session/spool.ts";
import { Uploader } from "../../worker/session/uploader.ts";
import { startCutProxy } from "../support/cut-proxy.ts";
import { startSlowProxy } from "../support/slow-proxy.ts";
import { madeUpResult } from "../unit/coordinator/coordinator-fixture.ts";
import { pause, temporaryFolder } from "./support/occam.ts";

const TOKEN = "a token for tests";
const MIB = 1024 * 1024;

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** A process of `support/`, with its answers to questions. */
class Child {
  readonly #process: ChildProcess;

  constructor(file: string, args: readonly string[]) {
    const path = new URL(`support/${file}`, import.meta.url).pathname;
    this.#process = fork(path, args, { execArgv: ["--expose-gc"] });
    cleanups.push(async () => {
      this.#process.kill("SIGKILL");
      await once(this.#process, "close");
    });
  }

  async next<T>(): Promise<T> {
    const [message] = (await once(this.#process, "message")) as [T];
    return message;
  }

  get pid(): number {
    return this.#process.pid!;
  }

  tell(message: string): void {
    this.#process.send(message);
  }

  async ask<T>(question: string): Promise<T> {
    const answer = this.next<T>();
    this.tell(question);
    return answer;
  }
}

interface Server {
  readonly child: Child;
  readonly address: string;
  readonly connection: Connection;
}

async function coordinator(): Promise<Server> {
  const child = new Child("measured-coordinator.mjs", [join(temporaryFolder(), "store"), TOKEN]);
  const { address } = await child.next<{ address: string }>();
  return { child, address, connection: connection(address) };
}

function connection(address: string): Connection {
  const opened = connect({ address, token: TOKEN });
  cleanups.push(() => opened.close());
  return opened;
}

const tail = ({ operator }: Connection, request: Partial<TailLogsRequest>, signal?: AbortSignal) =>
  readStream(
    operator,
    OperatorServiceService.tailLogs,
    TailLogsRequest.fromPartial({ pages: true, ...request }),
    signal === undefined ? {} : { signal },
  );

/** Lines of a worker's own log, so many characters each. */
async function pushLines({ bulk }: Connection, lines: number, chars: number, from = 0): Promise<void> {
  const call = openDuplex(bulk, BulkServiceService.push);
  const answers = call.responses[Symbol.asyncIterator]();
  const perBatch = Math.max(1, Math.floor((256 * 1024) / (chars + 100)));
  const record = { timeMs: 1n, level: LogLevel.LOG_LEVEL_INFO, fieldsJson: "" };
  for (let at = from; at < from + lines; at += perBatch) {
    const count = Math.min(perBatch, from + lines - at);
    const logs = Array.from({ length: count }, (_, place) => ({
      ...record,
      message: `line ${at + place} `.padEnd(chars, "x"),
    }));
    const kind = StreamKind.STREAM_KIND_LOGS;
    const where = { workerId: "w1", sessionId: "s1", cellId: "", token: 0n, kind, firstOffset: BigInt(at) };
    await call.send({ ...where, metrics: undefined, logs } satisfies PushRequest);
    await answers.next();
  }
  call.cancel();
}

describe("F6 a cut between a worker and its coordinator", () => {
  it("loses and repeats no record: what memory does not hold waits on disk, and goes on where it was acknowledged", async () => {
    const server = await coordinator();
    await submit(server.connection);
    const [grant] = await take(server.connection, "w1", []);
    const { token } = grant!;
    await take(server.connection, "w1", [grant!]);
    const { cellId } = grant!.cells[0]!;
    const proxy = await startCutProxy(Number(server.address.split(":")[1]));
    cleanups.push(() => proxy.close());
    const { bulk } = connection(`127.0.0.1:${proxy.port}`);
    const spool = new Spool({
      clock: systemClock,
      limitBytes: 64 * MIB,
      segmentBytes: 4 * MIB,
      newFile: () => newSpoolFile(tmpdir(), 4 * MIB),
      onTrouble: () => undefined,
    });
    const uploader = new Uploader({
      workerId: asWorkerId("w1"),
      sessionId: asSessionId("w1"),
      open: () => openDuplex(bulk, BulkServiceService.push),
      clock: systemClock,
      key: rootKey("cut"),
      batchDelayMs: 250,
      spool,
      onPressure: () => undefined,
      onTrouble: () => undefined,
    });
    const life = new AbortController();
    cleanups.push(() => life.abort());
    void uploader.run(life.signal);
    const attempt = { cellId: asCellId(cellId), token: asLeaseToken(token) };
    const count = 300_000;
    let most = 0;
    for (let at = 0; at < count; at += 4_000) {
      if (at === 20_000) proxy.cut();
      const points = Array.from({ length: 4_000 }, (_, place) => ({
        series: "s",
        step: at + place,
        value: at + place,
      }));
      uploader.metrics(attempt, points);
      await pause(1);
      most = Math.max(most, uploader.unackedMemory);
    }
    expect(most).toBeLessThan(24 * MIB);
    expect(spool.sizeBytes).toBeGreaterThan(MIB);
    proxy.mend();
    proxy.breakOff();
    expect(await uploader.flush(attempt)).toBe("acked");
    expect(spool.sizeBytes).toBe(0);
    await commitOf(server.connection, "w1", cellId, token, count);
    let next = 0;
    const series = { sweep: "flooded", cellId, namePrefix: "" };
    for await (const { metrics } of readStream(server.connection.operator, OperatorServiceService.listSeries, series)) {
      for (const [place, step] of metrics!.step.entries()) {
        if (step !== BigInt(next) || metrics!.value[place] !== next) throw new Error(`${step} where ${next} belongs`);
        next += 1;
      }
    }
    expect(next).toBe(count);
    console.log(`F6 at most ${(most / MIB).toFixed(1)} MiB in memory of ${((count * 68) / MIB).toFixed(1)} MiB`);
  });
});

describe("F14 a reader of a log that takes 1 KiB a second", () => {
  it("costs the coordinator no more than 8 MiB, and no other reader a line", async () => {
    const server = await coordinator();
    const [lines, chars] = [1_500, 16_000];
    await pushLines(server.connection, lines, chars);
    const proxy = await startSlowProxy(Number(server.address.split(":")[1]), 1024);
    cleanups.push(() => proxy.close());
    await pause(500);
    const before = await server.child.ask<number>("memory");
    const caller = new AbortController();
    const slow = tail(connection(`127.0.0.1:${proxy.port}`), { follow: true }, caller.signal)[Symbol.asyncIterator]();
    const first = slow.next().catch(() => undefined);
    let most = 0;
    for (let look = 0; look < 10; look += 1) {
      await pause(300);
      most = Math.max(most, (await server.child.ask<number>("memory")) - before);
    }
    console.log(`F14 ${(most / MIB).toFixed(2)} MiB more, ${proxy.carried()} bytes carried`);
    expect(proxy.carried()).toBeGreaterThan(1024);
    expect(most).toBeLessThanOrEqual(8 * MIB);
    const read: TailLogsResponse[] = [];
    for await (const page of tail(server.connection, {})) read.push(...page.lines);
    expect(read).toHaveLength(lines);
    caller.abort();
    await first;
  });
});

const SPEC = `version: 1
name: flooded
data: { kind: moons, train: 32, test: 16 }
grid:
  architecture: { kind: mlp, depth: 1 }
  optimizer: { kind: sgd, learningRate: 0.1 }
  regulariser: none
  scale: { width: 4 }
  seed: { replicates: 400 }
train: { steps: 10, batch: 8 }
`;

describe("F15 metrics and log lines at a hundred times the usual rate", () => {
  it("hold no turn of the coordinator up for more than 50 ms of its processor; what calls take by the clock is printed", async () => {
    const server = await coordinator();
    await submit(server.connection);
    const flood = new Child("flood.mjs", [server.address, TOKEN, "4", temporaryFolder()]);
    expect(await flood.next()).toBe("ready");

    const probe = new Probe(server);
    const quiet = await probe.round(50);
    server.child.tell("watch turns");
    flood.tell("flood");
    await pause(1_000);
    await server.child.ask("turns");
    const startCount = await flood.ask<number>("count");
    const startMs = performance.now();
    const loud = await probe.round(100);
    const seconds = (performance.now() - startMs) / 1000;
    const turns = await server.child.ask<number[]>("turns");
    const points = (await flood.ask<number>("count")) - startCount;
    console.log(
      `F15 ${Math.round(points / seconds)} points/s; quiet sync ${show(quiet.sync)}, commit ${show(quiet.commit)};`,
      `flood sync ${show(loud.sync)}, commit ${show(loud.commit)}; ${turns.length} turns ${show(turns)}`,
    );
    expect(points).toBeGreaterThan(100 * USUAL_POINTS_PER_SECOND);
    // By the clock it depends on what else the machine does.
    expect(quantile(turns, 0.99)).toBeLessThanOrEqual(50);
  });
});

/** Of one worker: sixteen cells, some series of a few points a second each. */
const USUAL_POINTS_PER_SECOND = 250;

/** A sync that asks for a shard when none is held. */
async function take({ control }: Connection, workerId: string, held: readonly Grant[]): Promise<readonly Grant[]> {
  const capabilities = { backend: "wasm", maxFuseWidth: 32, memoryBytes: 0n, host: "here", pid: 7, labels: {} };
  const request = {
    protocolVersion: PROTOCOL_VERSION,
    oldestProtocolVersion: PROTOCOL_VERSION,
    workerId,
    sessionId: workerId,
    capabilities: { ...capabilities, packageVersion: PACKAGE_VERSION, numericsVersion: NUMERICS_VERSION },
    freeSlots: held.length === 0 ? 1 : 0,
    held: held.map(({ token }) => ({ token, phase: LeasePhase.LEASE_PHASE_TRAIN, step: 6n, steps: 10n })),
    draining: false,
    waitMs: 0,
    heardReply: 0n,
  };
  return (await callUnary(control, ControlServiceService.sync, request satisfies SyncRequest)).grants;
}

function commitOf(connection: Connection, workerId: string, cellId: string, token: bigint, metricCount: number) {
  const value = { ...madeUpResult(1), metricCount: BigInt(metricCount), logCount: 0n };
  const outcome = { $case: "result" as const, value };
  const request = { workerId, sessionId: workerId, cellId, token, outcome };
  return callUnary(connection.control, ControlServiceService.commit, request);
}

const submit = ({ operator }: Connection) =>
  callUnary(
    operator,
    OperatorServiceService.submitSweep,
    SubmitSweepRequest.fromPartial({
      specText: SPEC,
      fileName: "flooded.yaml",
    }),
  );

/** A worker that syncs and commits, and notes how long that takes. */
class Probe {
  readonly #server: Server;
  #held: Grant[] = [];
  #cells: { readonly cellId: string; readonly token: bigint }[] = [];

  constructor(server: Server) {
    this.#server = server;
  }

  async round(samples: number): Promise<{ readonly sync: readonly number[]; readonly commit: readonly number[] }> {
    const [sync, commit] = [[] as number[], [] as number[]];
    while (commit.length < samples) {
      await pause(10);
      sync.push(await this.#timed(() => this.#sync()));
      const cell = this.#cells.pop();
      if (cell !== undefined)
        commit.push(await this.#timed(() => commitOf(this.#server.connection, "probe", cell.cellId, cell.token, 0)));
    }
    return { sync, commit };
  }

  /**
   * Milliseconds of the call. What the coordinator's thread and this one waited for a processor meanwhile is taken off: other
   * processes of the machine cost that.
   */
  async #timed(call: () => Promise<unknown>): Promise<number> {
    const waitedMs = (): number => waitedForProcessorMs(this.#server.child.pid) + waitedForProcessorMs(process.pid);
    const [startMs, before] = [performance.now(), waitedMs()];
    await call();
    return Math.max(0, performance.now() - startMs - (waitedMs() - before));
  }

  async #sync(): Promise<void> {
    if (this.#cells.length === 0) this.#held = [];
    const grants = await take(this.#server.connection, "probe", this.#held);
    if (this.#held.length > 0) return;
    this.#held = [...grants];
    this.#cells = grants.flatMap(({ token, cells }) => cells.map(({ cellId }) => ({ cellId, token })));
  }
}

/** Linux: how long the main thread of a process was ready to run and did not. 0 elsewhere. */
function waitedForProcessorMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

const show = (times: readonly number[]): string =>
  `p50 ${quantile(times, 0.5).toFixed(1)} p99 ${quantile(times, 0.99).toFixed(1)} max ${quantile(times, 1).toFixed(1)}`;

function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
}
