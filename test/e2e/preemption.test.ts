/**
 * Workers that are stopped or killed in the middle of a cell, and others that go on with it: real processes, a checkpoint folder and
 * an S3-compatible server. What is committed is what a run without a break says, bit for bit.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { type CellId } from "../../src/core/ids.ts";
import { openOperator, type Operator } from "../../src/cli/operator.ts";
import { resultDigest } from "../../src/result/cell-result.ts";
import { cellOf, type Cell } from "../../src/spec/cell.ts";
import { configFromJson } from "../../src/wire/cell-grant.ts";
import { resultFromJson } from "../../src/wire/cell-outcome.ts";
import { columnsToPoints, type SeriesPoint } from "../../src/wire/metric-columns.ts";
import { openCheckpoint, type CheckpointSummary } from "../../worker/checkpoint/checkpoint-file.ts";
import { openCheckpointStore, type CheckpointStore } from "../../worker/checkpoint/checkpoint-store.ts";
import { openEngine } from "../../worker/engine/engine.ts";
import { startS3Server } from "../support/s3-server.ts";
import { recordShard } from "../support/shard-recorder.ts";
import { childrenOf, occam, pause, start, temporaryFolder, type Running } from "./support/occam.ts";

/** Two cells of one program: some seconds of training and of sampling on an idle core, for checkpoints of both have to be seen on a busy one. */
const SPEC = (name: string, seed: number): string => `version: 1
name: ${name}
grid:
  - data: { kind: boolean, function: junta, inputs: 5, k: 2, train: 24 }
    architecture: { kind: mlp, activation: tanh, depth: 1 }
    optimizer: { kind: adam, learningRate: [0.002, 0.003] }
    scale: { width: 6 }
    seed: ${seed}
    train: { steps: 3000, batch: 12, evalEvery: 100 }
    estimate: { chains: 2, budget: 14400, trajectory: 4, tolerance: 0.001, refine: never }
`;

const cwd = temporaryFolder();
let coordinator: Running;
let operator: Operator;
let connection: readonly string[];
const workers: Running[] = [];

beforeAll(async () => {
  coordinator = start(["coordinator", "--store", "store", "--port", "0"], { cwd });
  await coordinator.until((out) => out.includes("occam worker --coordinator"));
  const address = /serves (\S+),/.exec(coordinator.stdout)![1]!;
  connection = ["--coordinator", address, "--token-file", "store/token"];
  operator = openOperator({ address, token: readFileSync(join(cwd, "store/token"), "utf8").trim() }, systemClock);
});

/** A worker that a failed test leaves would take the next one's cells. */
afterEach(async () => {
  for (const one of workers.splice(0)) {
    one.signal("SIGKILL");
    await one.ended;
  }
});

afterAll(async () => {
  operator.close();
  coordinator.signal("SIGTERM");
  await coordinator.ended;
});

function worker(id: string, checkpoints: string, env: Readonly<Record<string, string>> = {}): Running {
  // What is read while the test's S3 server writes it in place is no checkpoint: it has to have time between two.
  const everyS = checkpoints.startsWith("s3:") ? "1" : "0.2";
  const flags = ["--id", id, "--backend", "wasm", "--checkpoints", checkpoints, "--checkpoint-every", everyS];
  const running = start(["worker", ...connection, ...flags], { cwd, env });
  workers.push(running);
  return running;
}

/** Submits a sweep; gives its cells. */
async function submit(
  name: string,
  seed: number,
): Promise<{ readonly sweep: string; readonly cells: readonly Cell[] }> {
  writeFileSync(join(cwd, `${name}.yaml`), SPEC(name, seed));
  const { stdout } = await occam(["submit", `${name}.yaml`, "--json", ...connection], { cwd });
  const { sweepId } = JSON.parse(stdout) as { sweepId: string };
  const cells: Cell[] = [];
  for await (const { configJson } of operator.cells(sweepId)) cells.push(cellOf(configFromJson(configJson, name)));
  return { sweep: sweepId, cells };
}

/** Waits for a checkpoint of the cell that passes. */
async function checkpoint(
  store: CheckpointStore,
  cellId: CellId,
  passes: (summary: CheckpointSummary) => boolean,
): Promise<CheckpointSummary> {
  for (const endMs = Date.now() + 120_000; Date.now() < endMs; await pause(50)) {
    const file = await store.read(cellId, AbortSignal.timeout(5_000)).catch(() => undefined);
    const summary = file && summaryOf(file);
    if (summary !== undefined && passes(summary)) return summary;
  }
  throw new Error("no such checkpoint within two minutes");
}

/** The test's S3 server writes in place: a file may be half there, or a read fail; S3 itself shows whole objects only. */
function summaryOf(file: Uint8Array): CheckpointSummary | undefined {
  try {
    return openCheckpoint(file).summary;
  } catch {
    return undefined;
  }
}

const inTraining = ({ phase, step }: CheckpointSummary): boolean => phase === "train" && Number(step) > 0;
const inSampling = ({ phase, step }: CheckpointSummary): boolean => /chains/.test(phase) && Number(step) > 0;

/** Asks a worker to stop; it must be gone with 75 within 20 s. */
async function preempt(running: Running): Promise<void> {
  const startMs = performance.now();
  running.signal("SIGTERM");
  const { code, stderr } = await running.ended;
  expect(code, stderr).toBe(75);
  expect(performance.now() - startMs).toBeLessThan(20_000);
}

/** "goes on" lines of the cells' logs of this attempt, by their steps. */
async function goneOnFrom(sweep: string, attempt: number): Promise<readonly string[]> {
  const { stdout } = await occam(["logs", sweep, "--json", ...connection], { cwd });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { message: string; fields?: { attempt?: number } })
    .filter(({ message, fields }) => message.startsWith("goes on from") && fields?.attempt === attempt)
    .map(({ message }) => message);
}

/** What is committed is what the cells say without a break: digests, and every point of every series. */
async function expectUnbroken(sweep: string, cells: readonly Cell[], counters: object): Promise<void> {
  for await (const { snapshot: _ } of operator.watch(sweep, 100) as AsyncIterable<{ snapshot?: unknown }>) continue;
  const whole = await recordShard(await openEngine("wasm"), cells);
  const series = new Map<string, SeriesPoint[]>();
  for await (const { cellId, metrics } of operator.series(sweep)) {
    series.set(cellId, [...(series.get(cellId) ?? []), ...columnsToPoints(metrics!)]);
  }
  for await (const { cellId, resultJson, ...cell } of operator.cells(sweep)) {
    expect(cell).toMatchObject(counters);
    expect(resultDigest(resultFromJson(resultJson))).toBe(resultDigest(whole.results.get(cellId)!));
    const ordered = (points: readonly SeriesPoint[]): readonly SeriesPoint[] =>
      points.map(({ series, step, value }) => ({ series, step, value })).toSorted((a, b) => (a.series < b.series ? -1 : a.series > b.series ? 1 : a.step - b.step)); // prettier-ignore
    expect(ordered(series.get(cellId)!)).toEqual(ordered(whole.metrics.get(cellId)!));
  }
}

describe("a worker that is stopped", () => {
  it("F2 by SIGTERM in training, then in sampling, loses nothing: two others go on in the middle", async () => {
    const { sweep, cells } = await submit("stopped", 1);
    const store = await openCheckpointStore(join(cwd, "checkpoints"), {}, systemClock);
    const first = worker("a", "checkpoints");
    const before = await checkpoint(store, cells[0]!.id, inTraining);
    await preempt(first);
    const left = await checkpoint(store, cells[0]!.id, inTraining);
    expect(Number(left.step)).toBeGreaterThanOrEqual(Number(before.step));
    const second = worker("b", "checkpoints");
    const sampled = await checkpoint(store, cells[0]!.id, inSampling);
    expect(sampled.attempt).toBe(2);
    await preempt(second);
    const third = worker("c", "checkpoints");
    await expectUnbroken(sweep, cells, { attempts: 3, lost: 0, failed: 0 });
    expect(await goneOnFrom(sweep, 3)).toHaveLength(2);
    expect((await goneOnFrom(sweep, 3))[0]).toMatch(/step [1-9]\d* of estimate\.0\.first\.chains$/);
    await preempt(third);
    expect(await store.list(AbortSignal.timeout(5_000))).toEqual([]);
  });

  it("F21 finds its checkpoint store down: its cells end all the same, and those that run once it is back are kept there", async () => {
    let server = await startS3Server();
    const { env, port } = server;
    const place = "s3://cells/of/yesterday";
    const store = await openCheckpointStore(place, env, systemClock);
    try {
      const down = await submit("down", 3);
      const only = worker("d", place, env);
      await checkpoint(store, down.cells[0]!.id, () => true);
      await server.stop();
      await expectUnbroken(down.sweep, down.cells, { attempts: 1, lost: 0, failed: 0 });
      server = await startS3Server(port);
      // It is tried again within half a minute, and only then are new cells sure to be kept.
      await only.until((out, err) => `${out}${err}`.includes("the checkpoint store is there again"));
      const back = await submit("back", 4);
      await checkpoint(store, back.cells[0]!.id, () => true);
      await expectUnbroken(back.sweep, back.cells, { attempts: 1, lost: 0, failed: 0 });
      await preempt(only);
      expect(await store.list(AbortSignal.timeout(5_000))).toEqual([]);
    } finally {
      await server.stop();
    }
  });

  it("F1 by SIGKILL goes on from its last checkpoint in an S3-compatible store, and so does its trainer", async () => {
    const server = await startS3Server();
    const { env } = server;
    const place = "s3://cells/of/today";
    const store = await openCheckpointStore(place, env, systemClock);
    try {
      const { sweep, cells } = await submit("killed", 2);
      const first = worker("k", place, env);
      await checkpoint(store, cells[1]!.id, () => true);
      first.signal("SIGKILL");
      await first.ended;
      // The same worker again, so that the coordinator knows at once that the older session is over.
      const second = worker("k", place, env);
      await checkpoint(store, cells[1]!.id, (summary) => summary.attempt === 2 && inSampling(summary));
      const [trainer] = childrenOf(second.pid);
      process.kill(trainer!.pid, "SIGKILL");
      await expectUnbroken(sweep, cells, { attempts: 3 });
      expect((await goneOnFrom(sweep, 3))[0]).toMatch(/step [1-9]\d* of estimate\.0\.first\.chains$/);
      await preempt(second);
      expect(await store.list(AbortSignal.timeout(5_000))).toEqual([]);
    } finally {
      await server.stop();
    }
  });
});
