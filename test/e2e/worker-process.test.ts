/** The worker as it is installed: the built agent, its forked trainer, the real engine. Needs the build, and says so. */
import { fork, type ChildProcess } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { resultFromJson } from "../../src/wire/cell-outcome.ts";
import { resultDigest } from "../../src/result/cell-result.ts";
import { configToJson } from "../../src/wire/cell-grant.ts";
import { fuseKeyOf, type Cell } from "../../src/spec/cell.ts";
import { EXIT } from "../../src/core/errors.ts";
import { tinyCell } from "../support/tiny-cells.ts";
import { ScriptedCoordinator, TOKEN } from "../unit/session/scripted-coordinator.ts";

const MAIN = fileURLToPath(new URL("../../dist/src/cli/main.js", import.meta.url));
const LONG = { train: { steps: 2_000_000, evalEvery: 100_000 } };

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is missing: run \`npm run build\` before these tests`);
});

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

interface WorkerProcess {
  readonly pid: number;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly output: () => string;
}

async function coordinator(): Promise<ScriptedCoordinator> {
  const scripted = new ScriptedCoordinator();
  await scripted.start();
  cleanups.push(() => scripted.stop());
  return scripted;
}

function worker(address: string, token = TOKEN): WorkerProcess {
  const child: ChildProcess = fork(MAIN, ["worker", "--coordinator", address, "--id", "w1", "--backend", "wasm"], {
    env: { ...process.env, OCCAM_TOKEN: token },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    execArgv: [],
  });
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  cleanups.push(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  return { pid: child.pid!, ended, kill: (signal) => void child.kill(signal), output: () => output };
}

let nextToken = 1n;
function grant(scripted: ScriptedCoordinator, ...cells: readonly Cell[]): bigint {
  const token = nextToken++;
  scripted.grantRaw({
    token,
    ttlMs: 30_000,
    fuseKey: fuseKeyOf(cells[0]!.config),
    traceparent: "",
    cells: cells.map(({ id, config }) => ({ cellId: id, configJson: configToJson(config), attempt: 1 })),
  });
  return token;
}

async function until(condition: () => boolean, what: string, ms = 30_000): Promise<void> {
  const endMs = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The processes that `pid` has forked. */
function childrenOf(pid: number): readonly number[] {
  return readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" "))
    .filter((text) => text !== "")
    .map(Number);
}

/** False for a process that is gone, or that only waits to be reaped. */
function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const trains = (scripted: ScriptedCoordinator): boolean =>
  scripted.syncs.at(-1)?.held.some(({ phase, step }) => phase === 2 && step > 0n) ?? false;

describe("a worker process", () => {
  it("trains real cells as one program and commits results that hold what they promise", async () => {
    const scripted = await coordinator();
    const cells = [1, 2, 3].map((seed) => tinyCell({ seed }));
    const token = grant(scripted, ...cells);
    worker(scripted.address);
    await until(() => scripted.commits.length === 3, "three commits");
    for (const cell of cells) {
      const { outcome } = scripted.commits.find(({ cellId }) => cellId === cell.id)!;
      if (outcome?.$case !== "result") throw new Error(`no result but ${JSON.stringify(outcome)}`);
      const result = resultFromJson(outcome.value.json);
      expect(resultDigest(result)).toBe(outcome.value.digest);
      expect(result).toMatchObject({ outcome: "ok", steps: cell.config.train.steps, backend: "wasm", fuseWidth: 3 });
      expect(result.trainLoss).toBeGreaterThan(0);
      expect(outcome.value.metricCount).toBeGreaterThan(0n);
      const stored = scripted.streams.get(`${token}/${cell.id}/1`) as number[];
      expect(BigInt(stored.length)).toBe(outcome.value.metricCount);
      expect(stored.every((value) => Number.isFinite(value))).toBe(true);
    }
    const losses = scripted.commits.map(({ outcome }) => (outcome?.$case === "result" ? outcome.value.digest : ""));
    expect(new Set(losses).size).toBe(3);
  });

  it("keeps beating while its trainer computes, and reports the step that it is at", async () => {
    const scripted = await coordinator();
    grant(scripted, tinyCell(LONG));
    worker(scripted.address);
    await until(() => trains(scripted), "it trains");
    const before = scripted.syncs.length;
    const step = scripted.syncs.at(-1)!.held[0]!.step;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    // The coordinator asks for a beat every 200 ms; a stalled event loop would miss most of them.
    expect(scripted.syncs.length - before).toBeGreaterThan(4);
    expect(scripted.syncs.at(-1)!.held[0]!.step).toBeGreaterThan(step);
  });

  it("hands back what it trains at SIGTERM and ends with code 75, its trainer with it", async () => {
    const scripted = await coordinator();
    const cell = tinyCell(LONG);
    grant(scripted, cell);
    const running = worker(scripted.address);
    await until(() => trains(scripted), "it trains");
    const [trainer] = childrenOf(running.pid);
    running.kill("SIGTERM");
    expect((await running.ended).code).toBe(EXIT.drained);
    expect(scripted.commits.map(({ cellId, outcome }) => [cellId, outcome?.$case])).toEqual([[cell.id, "handback"]]);
    expect(runs(trainer!)).toBe(false);
  });

  it("leaves no trainer behind when it is killed", async () => {
    const scripted = await coordinator();
    grant(scripted, tinyCell(LONG));
    const running = worker(scripted.address);
    await until(() => trains(scripted), "it trains");
    const [trainer] = childrenOf(running.pid);
    running.kill("SIGKILL");
    await running.ended;
    await until(() => !runs(trainer!), "the trainer ends", 5_000);
  });

  it("tells that its cells are lost when the trainer is killed, and trains the next shard", async () => {
    const scripted = await coordinator();
    const lost = tinyCell(LONG);
    grant(scripted, lost);
    const running = worker(scripted.address);
    await until(() => trains(scripted), "it trains");
    process.kill(childrenOf(running.pid)[0]!, "SIGKILL");
    await until(() => scripted.commits.length === 1, "the failure");
    expect(scripted.commits[0]).toMatchObject({ cellId: lost.id, outcome: { $case: "failure", value: { kind: 3 } } });
    const next = tinyCell({ seed: 9 });
    grant(scripted, next);
    await until(() => scripted.commits.length === 2, "the next result");
    expect(scripted.commits[1]).toMatchObject({ cellId: next.id, outcome: { $case: "result" } });
  });

  it("ends with the exit code for a wrong token, and says what to do", async () => {
    const scripted = await coordinator();
    const running = worker(scripted.address, "wrong");
    expect((await running.ended).code).toBe(EXIT.permission);
    expect(running.output()).toContain("OCCAM_TOKEN");
    expect(running.output()).not.toContain("wrong");
  });
});
