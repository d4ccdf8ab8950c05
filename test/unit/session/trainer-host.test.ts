import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { rootKey } from "../../../src/core/random.ts";
import { failureOf } from "../../../worker/session/trainer-death.ts";
import { LineSplitter } from "../../../worker/session/line-splitter.ts";
import { DEFAULT_TIMINGS } from "../../../worker/session/timings.ts";
import { TrainerHost, type ShardEnd } from "../../../worker/session/trainer-host.ts";
import { cellWithSeed } from "./scripted-coordinator.ts";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The one trainer process below this test. */
function trainerPid(): number {
  const pids = readdirSync(`/proc/${process.pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${process.pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter((text) => text !== "" && readFileSync(`/proc/${text}/cmdline`, "utf8").includes("scripted-trainer"));
  expect(pids).toHaveLength(1);
  return Number(pids[0]);
}

const stateOf = (pid: number): string => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!;

async function openHost(timings: Partial<typeof DEFAULT_TIMINGS> = {}) {
  const ended: ShardEnd[] = [];
  let ready = 0;
  const host = new TrainerHost(
    {
      module: new URL("scripted-trainer.mjs", import.meta.url),
      backend: "wasm",
      logLevel: "info",
      clock: systemClock,
      key: rootKey("trainer host test"),
      timings: { ...DEFAULT_TIMINGS, trainerRestartMs: 20, ...timings },
    },
    {
      ready: () => (ready += 1),
      events: () => undefined,
      ended: (_shardId, end) => ended.push(end),
      checkpoint: () => undefined,
      gaveUp: () => undefined,
      line: () => undefined,
      died: () => undefined,
    },
  );
  cleanups.push(() => host.stop());
  host.start();
  await until(() => ready === 1, "the trainer is ready");
  return { host, ended, ready: () => ready };
}

describe("the trainer's host", () => {
  it("stops the process where it is and lets it go on", async () => {
    const { host, ended } = await openHost();
    const pid = trainerPid();
    host.run("1", [cellWithSeed(50)]);
    host.pause(true);
    await until(() => stateOf(pid) === "T", "it is stopped");
    // A slow cell takes 600 ms.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(ended).toEqual([]);
    host.pause(false);
    await until(() => ended.length === 1, "the shard ends");
    expect(ended).toEqual([{ kind: "done" }]);
  });

  it("aborts a shard of a process that was stopped", async () => {
    const { host, ended } = await openHost();
    host.run("1", [cellWithSeed(20)]);
    host.pause(true);
    host.abort("1");
    await until(() => ended.length === 1, "the shard ends");
    expect(ended).toEqual([{ kind: "done" }]);
    expect(host.idle).toBe(true);
  });

  it("ends a process that is stopped", async () => {
    const { host } = await openHost();
    const pid = trainerPid();
    host.pause(true);
    await until(() => stateOf(pid) === "T", "it is stopped");
    await host.stop();
    expect(() => process.kill(pid, 0)).toThrow();
  });

  it("does not count a kill that it asked for as a death of the shard", async () => {
    const { host, ended, ready } = await openHost({ abortGraceMs: 50 });
    host.run("1", [cellWithSeed(21)]);
    host.abort("1");
    await until(() => ended.length === 1, "the shard ends");
    expect(ended).toEqual([{ kind: "done" }]);
    await until(() => ready() === 2, "it is started again");
    expect(host.idle).toBe(true);
  });
});

describe("the end of a trainer", () => {
  it.each([
    [{ exitCode: 1, signal: null, stderrTail: "Error: boom\n  at x" }, "error", /exit code 1: Error: boom/],
    [{ exitCode: null, signal: "SIGSEGV", stderrTail: "" }, "lost", /killed by SIGSEGV$/],
    [{ exitCode: null, signal: "SIGKILL", stderrTail: "" }, "lost", /ran out of memory/],
    [
      { exitCode: null, signal: "SIGABRT", stderrTail: "JavaScript heap out of memory" },
      "out-of-memory",
      /heap was full/,
    ],
  ] as const)("%o means %s", (death, failure, reason) => {
    const actual = failureOf(death);
    expect(actual.failure).toBe(failure);
    expect(actual.reason).toMatch(reason);
  });
});

describe("lines", () => {
  it("are whole however the text is cut, and the last one needs no end", () => {
    const text = "one\ntwo\r\n\nthree";
    for (let size = 1; size <= text.length; size += 1) {
      const lines: string[] = [];
      const splitter = new LineSplitter((line) => lines.push(line));
      for (let at = 0; at < text.length; at += size) splitter.push(text.slice(at, at + size));
      splitter.end();
      expect(lines).toEqual(["one", "two", "three"]);
    }
  });

  it("that never end are given in pieces of bounded length", () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    for (let i = 0; i < 100; i += 1) splitter.push("x".repeat(1_000));
    expect(lines.length).toBeGreaterThan(3);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(16_384);
  });
});
