/** One sweep with one worker and with four: a real coordinator, real worker processes, the wasm backend, every number compared. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { occam, pause, start, temporaryFolder, type Ended, type Running } from "./support/occam.ts";
import { comparable, readResults, type Row } from "./support/results.ts";

/** Eight cells of three programs: tier A with a curve, tier B on minibatches, published SGLD. Long enough that all four get some. */
const SWEEP = `version: 1
name: count
seed: [1, 2, 3]
data: { kind: boolean, function: junta, inputs: 6, k: 3, train: 48 }
architecture: { kind: mlp, activation: tanh, depth: 1 }
optimizer: { kind: adam, learningRate: 0.02 }
scale: { width: 8 }
train: { steps: 100, batch: 12, evalEvery: 50 }
grid:
  - estimate: { tier: A, budget: 600, trajectory: 8, tolerance: 0.01, curve: { nBeta: [0.5, 1] } }
  - estimate: { tier: B, budget: 800, batch: 12 }
  - seed: [1, 2]
    estimate: { sampler: sgld, stepSize: 0.0001, burnIn: 300, draws: 500, batch: 12 }
`;

/** Rows of results.csv, and estimates.csv, which has the points of all curves, as text. */
interface Swept {
  readonly rows: readonly Row[];
  readonly estimates: string;
}

describe("the estimates of a sweep", () => {
  it("are the same, bit for bit, of one worker and of four", async () => {
    const [one, four] = [await sweep(1), await sweep(4)];
    expect(workersOf(one.rows)).toEqual(["w1"]);
    expect(workersOf(four.rows)).toEqual(["w1", "w2", "w3", "w4"]);
    expect(one.rows.map((row) => row["sampler"]).join(" ")).toBe("hmc hmc hmc langevin langevin langevin sgld sgld");
    for (const row of one.rows) for (const name of FIGURES) expect(Number(row[name]), name).toBeGreaterThan(0);
    // Numbers are printed in the shortest text that reads back as the same double, so equal text is equal bits.
    expect(comparable(four.rows)).toBe(comparable(one.rows));
    expect(four.estimates).toBe(one.estimates);
  });
});

/** So that an empty field is not equal to an empty field by mistake. */
const FIGURES = ["lambda_hat", "lambda_se", "ess", "r_hat", "quad", "gradients", "train_loss"];

const workersOf = (rows: readonly Row[]): readonly string[] =>
  [...new Set(rows.map((row) => row["worker"]!))].toSorted();

/** Workers first, the sweep when all of them wait for work. */
async function sweep(count: number): Promise<Swept> {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "count.yaml"), SWEEP);
  const coordinator = start(["coordinator", "--store", "store", "--port", "0"], { cwd });
  await coordinator.until((out) => out.includes("occam worker --coordinator"));
  const connection = ["--coordinator", /serves (\S+),/.exec(coordinator.stdout)![1]!, "--token-file", "store/token"];
  const command = async (...args: readonly string[]): Promise<Ended> => {
    const ended = await occam([...args, ...connection], { cwd });
    expect([ended.code, ended.stderr], ended.stdout).toEqual([0, ""]);
    return ended;
  };
  const workers = Array.from({ length: count }, (_, i) =>
    start(["worker", ...connection, "--id", `w${i + 1}`, "--backend", "wasm"], { cwd }),
  );
  for (const worker of workers) await worker.until((_, log) => log.includes('"ready"'));
  await until(async () => (JSON.parse((await command("status", "--json")).stdout) as Status).workers.length === count);
  await command("submit", "count.yaml");
  await command("watch", "count");
  await command("results", "count", "--out", "files");
  await stop(workers, 75);
  await stop([coordinator], 0);
  const files = join(cwd, "files");
  return { rows: readResults(files), estimates: readFileSync(join(files, "estimates.csv"), "utf8") };
}

interface Status {
  readonly workers: readonly unknown[];
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(100);
}

async function stop(processes: readonly Running[], code: number): Promise<void> {
  for (const each of processes) each.signal("SIGTERM");
  for (const each of processes) expect((await each.ended).code).toBe(code);
}
