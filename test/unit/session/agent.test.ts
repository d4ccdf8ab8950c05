import { existsSync } from "node:fs";
import { Writable } from "node:stream";
import { afterEach, describe, expect, it } from "vitest";
import { FailureKind } from "../../../proto/gen/occam/v1/control.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { EXIT, OccamError } from "../../../src/core/errors.ts";
import { asWorkerId } from "../../../src/core/ids.ts";
import { createLogger } from "../../../src/core/log.ts";
import { startWorker, type RunningWorker, type WorkerOptions } from "../../../worker/main.ts";
import { cellWithSeed, ScriptedCoordinator, TOKEN } from "./scripted-coordinator.ts";

const { FAILURE_KIND_ERROR, FAILURE_KIND_LOST, FAILURE_KIND_OUT_OF_MEMORY } = FailureKind;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function coordinator(): Promise<ScriptedCoordinator> {
  const scripted = new ScriptedCoordinator();
  await scripted.start();
  cleanups.push(() => scripted.stop());
  return scripted;
}

const silent = new Writable({ write: (_chunk, _encoding, done) => done() });

async function worker(of: ScriptedCoordinator, options: Partial<WorkerOptions> = {}): Promise<RunningWorker> {
  const running = await startWorker({
    address: of.address,
    token: TOKEN,
    workerId: asWorkerId("w1"),
    backend: "auto",
    clock: systemClock,
    logger: createLogger({ component: "worker", level: "debug", destination: silent }),
    trainerModule: new URL("scripted-trainer.mjs", import.meta.url),
    ...options,
    timings: { batchDelayMs: 20, drainBudgetMs: 4_000, trainerRestartMs: 20, ...options.timings },
  });
  cleanups.push(async () => {
    running.drain();
    await running.done.catch(() => undefined);
  });
  return running;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`);

describe("a worker", () => {
  it("runs every cell of every shard that it is granted, and commits each once with all of its records", async () => {
    const scripted = await coordinator();
    const tokens = [scripted.grant(1, 2, 3), scripted.grant(4), scripted.grant(5, 6)];
    await worker(scripted);
    await until(() => scripted.commits.length === 6, "six commits");
    for (const seed of [1, 2, 3, 4, 5, 6]) expect(scripted.outcomes(seed)).toEqual(["result"]);
    expect(scripted.stream(tokens[0]!, 2, 1)).toEqual([1, Number.NaN, 1 / 3, 0.25, 0.2]);
    expect(scripted.stream(tokens[2]!, 6, 2)).toMatchObject([{ message: "begins", fieldsJson: '{"n":"1"}' }]);
    expect(scripted.commits[0]).toMatchObject({
      workerId: "w1",
      outcome: { value: { metricCount: 5n, logCount: 1n } },
    });
  });

  it("says what it can run, and lists what it holds with its progress", async () => {
    const scripted = await coordinator();
    const token = scripted.grant(20);
    await worker(scripted, { maxFuseWidth: 12 });
    const running = (): boolean =>
      scripted.syncs.at(-1)?.held.some(({ phase, step }) => phase === 2 && step === 1n) ?? false;
    await until(running, "the lease is listed as training");
    expect(scripted.syncs.at(-1)).toMatchObject({ freeSlots: 0, held: [{ token, steps: 10n }] });
    const { capabilities } = scripted.syncs[0]!;
    expect(capabilities).toMatchObject({ backend: "wasm", maxFuseWidth: 12, pid: process.pid });
    expect(capabilities!.memoryBytes).toBeGreaterThan(0n);
    expect(scripted.syncs[0]!.freeSlots).toBe(1);
  });

  it("sends its own log and its trainer's, and gives the trainer no token", async () => {
    const scripted = await coordinator();
    process.env["OCCAM_TOKEN"] = TOKEN;
    try {
      await worker(scripted);
      await until(() => scripted.ownLog().some(({ message }) => message === "engine open"), "the trainer's line");
      const line = scripted.ownLog().find(({ message }) => message === "engine open");
      expect(JSON.parse(line!.fieldsJson)).toEqual({ from: "trainer", credential: "none" });
      await until(() => scripted.ownLog().some(({ message }) => message === "ready"), "the worker's line");
    } finally {
      delete process.env["OCCAM_TOKEN"];
    }
  });

  it("commits once though replies to commits are lost", async () => {
    const scripted = await coordinator();
    scripted.loseCommitReplies = 3;
    scripted.grant(1, 2);
    await worker(scripted);
    await until(() => scripted.commits.length === 2 && scripted.loseCommitReplies === 0, "both commits");
    await until(() => scripted.syncs.at(-1)!.held.length === 0, "nothing is held");
    expect([scripted.outcomes(1), scripted.outcomes(2)]).toEqual([["result"], ["result"]]);
  });

  it("loses no record though bulk calls break", async () => {
    const scripted = await coordinator();
    scripted.breakPushes = 3;
    const token = scripted.grant(40);
    await worker(scripted);
    await until(() => scripted.commits.length === 1, "the commit");
    expect(scripted.stream(token, 40, 1)).toHaveLength(20_000);
    expect(scripted.outcomes(40)).toEqual(["result"]);
  });

  it("goes on over a restart of the coordinator: same trainer, same lease, one commit", async () => {
    const scripted = await coordinator();
    const token = scripted.grant(50, 51, 52);
    await worker(scripted);
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    await scripted.restart(500);
    await until(() => scripted.commits.length === 3, "three commits");
    expect(scripted.commits.map((commit) => commit.token)).toEqual([token, token, token]);
    for (const seed of [50, 51, 52]) expect(scripted.outcomes(seed)).toEqual(["result"]);
    const opened = scripted.ownLog().filter(({ message }) => message === "engine open");
    expect(opened).toHaveLength(1);
  });

  it("hands back what is unfinished when it is stopped, sends what is finished, and ends with code 75", async () => {
    const scripted = await coordinator();
    scripted.grant(1, 20, 21);
    const running = await worker(scripted);
    await until(() => scripted.commits.length === 1, "the first result");
    running.drain();
    expect(await running.done).toBe(EXIT.drained);
    expect([scripted.outcomes(1), scripted.outcomes(20), scripted.outcomes(21)]).toEqual([
      ["result"],
      ["handback"],
      ["handback"],
    ]);
    expect(scripted.syncs.at(-1)).toMatchObject({ draining: true, freeSlots: 0, held: [] });
  });

  it("ends within its budget when it is stopped while no coordinator is there", async () => {
    const scripted = await coordinator();
    scripted.grant(20);
    const running = await worker(scripted, { timings: { drainBudgetMs: 300 } });
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    await scripted.stop();
    const startMs = performance.now();
    running.drain();
    expect(await running.done).toBe(EXIT.drained);
    expect(performance.now() - startMs).toBeLessThan(3_000);
  });

  it("finishes what runs and ends with code 0 when the coordinator drains it", async () => {
    const scripted = await coordinator();
    scripted.grant(50);
    const running = await worker(scripted);
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    scripted.drain = true;
    expect(await running.done).toBe(EXIT.ok);
    expect(scripted.outcomes(50)).toEqual(["result"]);
  });

  it("stops a revoked shard, keeps silent about its cells, and takes the next one", async () => {
    const scripted = await coordinator();
    const token = scripted.grant(20);
    await worker(scripted);
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    scripted.revoke(token);
    scripted.grant(2);
    await until(() => scripted.outcomes(2).length === 1, "the next shard");
    expect(scripted.outcomes(20)).toEqual([]);
  });

  it("drops the result of a single revoked cell and keeps the others", async () => {
    const scripted = await coordinator();
    const token = scripted.grant(50, 51);
    await worker(scripted);
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    scripted.revoke(token, cellWithSeed(51).id);
    await until(() => scripted.outcomes(50).length === 1, "the other cell");
    scripted.grant(2);
    await until(() => scripted.outcomes(2).length === 1, "the next shard");
    expect(scripted.outcomes(51)).toEqual([]);
  });

  it("kills a trainer that does not heed an abort, and goes on with a new one", async () => {
    const scripted = await coordinator();
    const token = scripted.grant(21);
    await worker(scripted, { timings: { abortGraceMs: 200 } });
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    scripted.revoke(token);
    scripted.grant(2);
    await until(() => scripted.outcomes(2).length === 1, "the next shard");
    expect(scripted.outcomes(21)).toEqual([]);
  });

  it("stops at once, and commits nothing more, when a newer session has its id", async () => {
    const scripted = await coordinator();
    scripted.grant(20);
    const running = await worker(scripted);
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    scripted.fenced = true;
    const error = await running.done.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "bad-config", hint: "give every worker an --id of its own" });
    expect(scripted.commits).toEqual([]);
  });

  it("ends with the coordinator's reason when its token is wrong", async () => {
    const scripted = await coordinator();
    const running = await worker(scripted, { token: "wrong" });
    const error = await running.done.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OccamError);
    expect(error).toMatchObject({ code: "unauthenticated" });
  });

  it("does not start when its backend cannot be used, and says why", async () => {
    const scripted = await coordinator();
    await expect(worker(scripted, { backend: "tensorflow-gpu" })).rejects.toMatchObject({
      code: "unsupported",
      message: "no GPU here",
      hint: "use wasm",
    });
    expect(scripted.syncs).toEqual([]);
  });

  it("fails the cells of a grant that it cannot read, with the reason", async () => {
    const scripted = await coordinator();
    const { id } = cellWithSeed(1);
    scripted.grantRaw({
      token: 99n,
      ttlMs: 1_000,
      fuseKey: "k",
      traceparent: "",
      cells: [{ cellId: id, configJson: '{"of":"another version"}', attempt: 1 }],
    });
    await worker(scripted);
    await until(() => scripted.commits.length === 1, "the failure");
    expect(scripted.outcomes(1)).toEqual([`failure:${FAILURE_KIND_ERROR}`]);
  });

  it("gives up unfinished work after it was out of touch for too long, and takes new work afterwards", async () => {
    const scripted = await coordinator();
    scripted.grant(20);
    await worker(scripted, { timings: { orphanAfterMs: 300 } });
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    await scripted.restart(1_500);
    await until(() => scripted.syncs.at(-1)!.held.length === 0, "nothing is held");
    scripted.grant(2);
    await until(() => scripted.outcomes(2).length === 1, "the next shard");
    expect(scripted.outcomes(20)).toEqual([]);
  });
});

describe("a trainer that dies", () => {
  it.each<[string, number, FailureKind, RegExp]>([
    [
      "by an error of its own fails its cells with what it said",
      13,
      FAILURE_KIND_ERROR,
      /exit code 3: the poison cell/,
    ],
    ["by a signal loses its cells", 14, FAILURE_KIND_LOST, /killed by SIGKILL/],
    ["of a full heap is out of memory", 15, FAILURE_KIND_OUT_OF_MEMORY, /heap was full/],
  ])("%s, and is started again", async (_name, seed, kind, reason) => {
    const scripted = await coordinator();
    scripted.grant(1, seed, 2);
    scripted.grant(3);
    await worker(scripted);
    await until(() => scripted.commits.length === 4, "four commits");
    expect(scripted.outcomes(1)).toEqual(["result"]);
    for (const lost of [seed, 2]) expect(scripted.outcomes(lost)).toEqual([`failure:${kind}`]);
    const failure = scripted.commits.find(({ outcome }) => outcome?.$case === "failure")!.outcome;
    expect(failure).toMatchObject({ value: { reason: expect.stringMatching(reason) as string } });
    expect(scripted.outcomes(3)).toEqual(["result"]);
  });

  it("again and again ends the worker with an error, after every cell has had its failure", async () => {
    const scripted = await coordinator();
    for (let i = 0; i < 6; i += 1) scripted.grant(13);
    const running = await worker(scripted);
    expect(await running.done).toBe(EXIT.internal);
    expect(scripted.outcomes(13)).toHaveLength(5);
    expect(scripted.ownLog().some(({ message }) => message.includes("died 5 times in a row"))).toBe(true);
  }, 60_000);

  it("is not what a failing cell or a failing shard is: the process lives on", async () => {
    const scripted = await coordinator();
    scripted.grant(30, 1);
    scripted.grant(31);
    scripted.grant(2);
    await worker(scripted);
    await until(() => scripted.commits.length === 4, "four commits");
    expect(scripted.outcomes(30)).toEqual([`failure:${FAILURE_KIND_ERROR}`]);
    expect(scripted.outcomes(31)).toEqual([`failure:${FAILURE_KIND_ERROR}`]);
    expect(scripted.ownLog().filter(({ message }) => message === "engine open")).toHaveLength(1);
  });

  it("leaves no process behind when the worker ends", async () => {
    const scripted = await coordinator();
    scripted.grant(21);
    const running = await worker(scripted);
    await until(() => (scripted.syncs.at(-1)?.held.length ?? 0) > 0, "the lease is held");
    const { readdirSync, readFileSync } = await import("node:fs");
    const children = readdirSync(`/proc/${process.pid}/task`)
      .flatMap((task) => readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").trim().split(" "))
      .filter((text) => text !== "")
      .map(Number);
    const trainers = children.filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("scripted-trainer"),
    );
    expect(trainers).toHaveLength(1);
    running.drain();
    await running.done;
    expect(isAlive(trainers[0]!)).toBe(false);
  });
});
