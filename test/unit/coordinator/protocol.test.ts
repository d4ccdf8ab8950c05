/** A rolling upgrade: real workers and real coordinators of neighbouring versions over real gRPC. */
import { Writable } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import type { CoordinatorStartOptions } from "../../../coordinator/main.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { EXIT, EXIT_OF, OccamError } from "../../../src/core/errors.ts";
import { asWorkerId } from "../../../src/core/ids.ts";
import { createLogger } from "../../../src/core/log.ts";
import { agreeOnProtocol, PROTOCOL, type ProtocolRange } from "../../../src/core/protocol.ts";
import { NUMERICS_VERSION, PROTOCOL_VERSION } from "../../../src/core/version.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { startWorker, type RunningWorker, type WorkerOptions } from "../../../worker/main.ts";
import { connection, coordinator, SPEC, startWith, submit, sync, TOKEN } from "./services-fixture.ts";

const OLD: ProtocolRange = { oldest: 1, newest: 2 };
const NEW: ProtocolRange = { oldest: 2, newest: 3 };
const NEXT: ProtocolRange = { oldest: 3, newest: 4 };

const silent = createLogger({
  component: "worker",
  level: "error",
  destination: new Writable({ write: (_chunk, _encoding, done) => done() }),
});

const workers: RunningWorker[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) {
    worker.drain();
    await worker.done.catch(() => undefined);
  }
});

async function work(options: Partial<WorkerOptions>): Promise<RunningWorker> {
  const worker = await startWorker({
    address: coordinator.address,
    token: TOKEN,
    workerId: asWorkerId(`w${workers.length}`),
    backend: "auto",
    clock: systemClock,
    logger: silent,
    trainerModule: new URL("../session/scripted-trainer.mjs", import.meta.url),
    ...options,
    timings: { batchDelayMs: 20, drainBudgetMs: 2_000, ...options.timings },
  });
  workers.push(worker);
  return worker;
}

const withOptions = (options: Partial<CoordinatorStartOptions>) =>
  startWith({ timings: { heartbeatMs: 100 }, ...options });

const committed = async (): Promise<number> =>
  (await callUnary(connection.operator, OperatorServiceService.getSweep, { sweep: "moons" })).sweep!.counts!.committed;

describe("versions of the protocol", () => {
  it("agree on the newest that both know, or say which end is too old", () => {
    expect(agreeOnProtocol(OLD, NEW)).toBe(2);
    expect(agreeOnProtocol(NEW, OLD)).toBe(2);
    expect(agreeOnProtocol(NEW, NEW)).toBe(3);
    expect(() => agreeOnProtocol(OLD, NEXT)).toThrow(/worker is too old/u);
    expect(() => agreeOnProtocol(NEXT, OLD)).toThrow(/worker is too new, or the coordinator too old/u);
    expect(PROTOCOL.newest).toBe(PROTOCOL_VERSION);
    expect(PROTOCOL.newest - PROTOCOL.oldest).toBeLessThanOrEqual(1);
  });

  it.each([
    ["a worker of the version before", OLD, NEW],
    ["a coordinator of the version before", NEW, OLD],
    ["the same version", NEW, NEW],
  ])("work with %s: a whole sweep", async (_name, worker, protocol) => {
    await withOptions({ protocol });
    await submit();
    await work({ protocol: worker });
    await expect.poll(committed, { timeout: 15_000 }).toBe(12);
  });

  it.each([
    ["too old", OLD, NEXT, /worker is too old/u, /on the worker/u],
    ["too new", NEXT, OLD, /coordinator too old/u, /upgrade the coordinator first/u],
  ])(
    "refuse a worker that is %s, with 78 and what to do, and none of its cells suffers",
    async (_name, worker, protocol, message, hint) => {
      await withOptions({ protocol });
      await submit();
      const { done } = await work({ protocol: worker });
      const error = await done.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(OccamError);
      const { code } = error as OccamError;
      expect([code, EXIT_OF[code]]).toEqual(["unsupported", EXIT.config]);
      expect(error).toMatchObject({ message, hint });
      expect(await committed()).toBe(0);
    },
  );

  it("are upgraded one after another while a sweep runs, and no cell fails", async () => {
    await withOptions({ protocol: OLD });
    await submit();
    const old = await work({ protocol: OLD });
    await withOptions({ protocol: NEW, port: coordinator.port });
    const fresh = await work({ protocol: NEW });
    old.drain();
    expect(await old.done).toBe(EXIT.drained);
    await expect.poll(committed, { timeout: 20_000 }).toBe(12);
    const { sweep } = await callUnary(connection.operator, OperatorServiceService.getSweep, { sweep: "moons" });
    expect(sweep!.counts).toMatchObject({ quarantined: 0, committed: 12 });
    fresh.drain();
  });

  it("that a worker of before the negotiation sends alone still count", async () => {
    await expect(sync({ protocolVersion: 99 })).rejects.toMatchObject({ code: "unsupported" });
    expect((await sync({ protocolVersion: PROTOCOL_VERSION })).protocolVersion).toBe(PROTOCOL_VERSION);
  });
});

describe("versions of the numbers", () => {
  it("of an older worker: it gets no cell, is drained with 0, and today's worker does them all", async () => {
    await withOptions({});
    await submit({ specText: SPEC });
    const old = await work({ numericsVersion: NUMERICS_VERSION - 1 });
    expect(await old.done).toBe(EXIT.ok);
    expect(await committed()).toBe(0);
    await work({});
    await expect.poll(committed, { timeout: 15_000 }).toBe(12);
  });

  it("of a newer worker: it waits, and gets cells once the coordinator is of its version", async () => {
    await withOptions({});
    await submit();
    await work({ numericsVersion: NUMERICS_VERSION + 1, timings: { longPollMs: 100 } });
    await systemClock.sleep(500);
    expect(await committed()).toBe(0);
    const { workers: listed } = await callUnary(connection.operator, OperatorServiceService.listWorkers, {});
    expect(listed).toHaveLength(1);
  });
});
