/** Metrics and logs under fault: F6 (a cut), F14 (a slow reader), F15 (a flood). Real coordinators and workers' parts; needs the build. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { StreamKind, type PushRequest } from "../../proto/gen/occam/v1/bulk.ts";
import { BulkServiceService } from "../../proto/gen/occam/v1/bulk.ts";
import { LogLevel } from "../../proto/gen/occam/v1/common.ts";
import { ControlServiceService, type Grant, type SyncRequest } from "../../proto/gen/occam/v1/control.ts";
import { OperatorServiceService, TailLogsRequest, type TailLogsResponse } from "../../proto/gen/occam/v1/operator.ts";
import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../../src/core/version.ts";
import { callUnary, openDuplex, readStream } from "../../src/rpc/client-calls.ts";
import { connect, type Connection } from "../../src/rpc/client.ts";
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

describe("F14: a reader of a log that takes 1 KiB a second", () => {
  it("costs the coordinator no more than 8 MiB, and no other reader a line", async () => {
    const server = await coordinator();
    const [lines, chars] = [3_000, 16_000];
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
    console.log(`F14: ${(most / MIB).toFixed(2)} MiB more, ${proxy.carried()} bytes carried`);
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

describe("F15: metrics and log lines at a hundred times the usual rate", () => {
  it("delay heartbeats and commits by 50 ms at the most", async () => {
    const server = await coordinator();
    const { control, operator } = server.connection;
    const submission = { specText: SPEC, fileName: "flooded.yaml", noCache: false, requestId: "" };
    await callUnary(operator, OperatorServiceService.submitSweep, submission);
    const flood = new Child("flood.mjs", [server.address, TOKEN, "4", temporaryFolder()]);
    expect(await flood.next()).toBe("ready");

    const probe = new Probe(server);
    const quiet = await probe.round(50);
    server.child.tell("watch turns");
    flood.tell("flood");
    await pause(1_000);
    await server.child.ask("stall");
    const startCount = await flood.ask<number>("count");
    const startMs = performance.now();
    const loud = await probe.round(200);
    const seconds = (performance.now() - startMs) / 1000;
    const stall = await server.child.ask<number>("stall");
    const rate = ((await flood.ask<number>("count")) - startCount) / seconds;
    console.log(
      `F15: ${Math.round(rate)} points/s; quiet sync ${show(quiet.sync)}, commit ${show(quiet.commit)};`,
      `flood sync ${show(loud.sync)}, commit ${show(loud.commit)}; longest turn ${stall.toFixed(1)} ms of processor`,
    );
    expect(p99(loud.sync)).toBeLessThanOrEqual(50);
    expect(p99(loud.commit)).toBeLessThanOrEqual(50);
  });
});

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
      if (cell !== undefined) commit.push(await this.#timed(() => this.#commit(cell)));
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
    const { grants } = await callUnary(this.#server.connection.control, ControlServiceService.sync, {
      protocolVersion: PROTOCOL_VERSION,
      workerId: "probe",
      sessionId: "probe",
      capabilities: {
        backend: "wasm",
        maxFuseWidth: 32,
        memoryBytes: 0n,
        host: "here",
        pid: 7,
        packageVersion: PACKAGE_VERSION,
      },
      freeSlots: this.#held.length === 0 ? 1 : 0,
      held: this.#held.map(({ token }) => ({ token, phase: 2, step: 6n, steps: 10n })),
      draining: false,
      waitMs: 0,
    } satisfies SyncRequest);
    if (this.#held.length > 0) return;
    this.#held = [...grants];
    this.#cells = grants.flatMap(({ token, cells }) => cells.map(({ cellId }) => ({ cellId, token })));
  }

  async #commit({ cellId, token }: { readonly cellId: string; readonly token: bigint }): Promise<void> {
    await callUnary(this.#server.connection.control, ControlServiceService.commit, {
      workerId: "probe",
      sessionId: "probe",
      cellId,
      token,
      outcome: { $case: "result", value: { ...madeUpResult(1), metricCount: 0n, logCount: 0n } },
    });
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

const p99 = (times: readonly number[]): number => quantile(times, 0.99);

const show = (times: readonly number[]): string =>
  `p50 ${quantile(times, 0.5).toFixed(1)} p99 ${p99(times).toFixed(1)} max ${quantile(times, 1).toFixed(1)}`;

function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!;
}
