/** A coordinator and workers of the build as processes on this machine, to be killed, stopped and cut off. */
import { fork, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import type { Timings } from "../../../coordinator/timings.ts";
import {
  CellState,
  ListCellsRequest,
  OperatorServiceService,
  SubmitSweepRequest,
  SweepState,
  TailLogsRequest,
  type ListCellsResponse,
  type Sweep,
} from "../../../proto/gen/occam/v1/operator.ts";
import type { ProtocolRange } from "../../../src/core/protocol.ts";
import { callUnary, readStream } from "../../../src/rpc/client-calls.ts";
import { connect, type Connection } from "../../../src/rpc/client.ts";
import type { SessionTimings } from "../../../worker/session/timings.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";
import { freePort } from "./free-port.ts";
import { occam, pause, temporaryFolder } from "./occam.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const TOKEN = "the token of these tests";
/** Far more than anything takes on a machine with nothing else to do: some wait for a lease of 30 s, or for a keepalive of 40 s. */
const LIMIT_MS = 200_000;
/** Of a call: the machine may have a hundred other things to do. */
const PATIENT = { deadlineMs: 120_000 };

export interface ClusterOptions {
  readonly timings?: Partial<Timings>;
  readonly protocol?: ProtocolRange;
}

export interface WorkerGiven {
  /** Where it reaches the coordinator, when that is not where it listens. */
  readonly port?: number;
  readonly timings?: Partial<SessionTimings>;
  readonly protocol?: ProtocolRange;
  readonly maxFuseWidth?: number;
  /** Everything that it is given to do fails. */
  readonly isBad?: boolean;
}

export interface WorkerProcess {
  readonly id: string;
  readonly pid: number;
  readonly ready: Promise<void>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  signal(name: NodeJS.Signals): void;
}

export class Cluster {
  readonly port: number;
  readonly connection: Connection;
  readonly store: string;
  #coordinator: CoordinatorProcess;
  readonly #workers = new Set<ChildProcess>();

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(await freePort(), options);
    clusters.push(cluster);
    await (
      await cluster.#coordinator.open()
    ).serving;
    return cluster;
  }

  private constructor(port: number, options: ClusterOptions) {
    this.port = port;
    this.store = join(temporaryFolder(), "store");
    this.#coordinator = this.#newCoordinator(options);
    this.connection = connect({ address: `127.0.0.1:${port}`, token: TOKEN });
  }

  /** An orderly stop, and the next one on the same store and port. */
  async upgrade(options: ClusterOptions): Promise<void> {
    const next = this.#newCoordinator(options);
    await this.#coordinator.stop();
    this.#coordinator = next;
    await (
      await next.open()
    ).serving;
  }

  worker(id: string, given: WorkerGiven = {}): WorkerProcess {
    const { port = this.port, timings = {}, isBad = false, ...others } = given;
    const quick = { batchDelayMs: 20, drainBudgetMs: 5_000, ...timings };
    const said = {
      address: `127.0.0.1:${port}`,
      token: TOKEN,
      workerId: id,
      timings: quick,
      maxFuseWidth: 4,
      ...others,
    };
    const script = join(ROOT, "test/e2e/support/scripted-worker.mjs");
    const child = fork(script, [JSON.stringify(said)], {
      execArgv: [],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      env: { ...process.env, OCCAM_TEST_BAD_NODE: isBad ? "1" : "0" },
    });
    this.#workers.add(child);
    return {
      id,
      pid: child.pid!,
      ready: new Promise((resolve) => child.once("message", () => resolve())),
      ended: new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal }))),
      signal: (name) => void child.kill(name),
    };
  }

  /** A sweep of a cell for each seed, which says what the cell does (scripted-trainer.mjs), and each learning rate. */
  async submit(seeds: readonly number[], rates: readonly number[] = [0.1]): Promise<Sweep> {
    const specText = `version: 1
name: faults
data: { kind: moons, train: 32, test: 16 }
grid:
  architecture: { kind: mlp, depth: 1, width: 4 }
  optimizer: { kind: sgd, learningRate: { values: [${rates.join(", ")}] } }
  regulariser: none
  seed: [${seeds.join(", ")}]
train: { steps: 10, batch: 8 }
`;
    const request = SubmitSweepRequest.fromPartial({ specText, fileName: "faults.yaml" });
    return (await callUnary(this.connection.operator, OperatorServiceService.submitSweep, request, PATIENT)).sweep!;
  }

  async sweep(): Promise<Sweep> {
    return (await callUnary(this.connection.operator, OperatorServiceService.getSweep, { sweep: "faults" }, PATIENT))
      .sweep!;
  }

  cells(): Promise<readonly ListCellsResponse[]> {
    const request = ListCellsRequest.fromPartial({ sweep: "faults" });
    return all(readStream(this.connection.operator, OperatorServiceService.listCells, request));
  }

  /** Until the coordinator says so; asked again while it cannot be reached. */
  async until(holds: () => Promise<boolean>, what: string, limitMs = LIMIT_MS): Promise<number> {
    const startMs = performance.now();
    while (!(await holds().catch(() => false))) {
      if (performance.now() - startMs > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`);
      await pause(50);
    }
    return performance.now() - startMs;
  }

  /** Cells that this worker runs now. */
  async runningOn(workerId: string): Promise<number> {
    return (await this.#listed(workerId))?.cellsHeld ?? 0;
  }

  async lastSeenMs(workerId: string): Promise<number> {
    return Number((await this.#listed(workerId))?.lastSeenMs ?? 0n);
  }

  /** Why this worker gets no cells; "": it may have some. */
  async brokenReason(workerId: string): Promise<string> {
    return (await this.#listed(workerId))?.brokenReason ?? "";
  }

  untilRunsOn(workerId: string): Promise<number> {
    const running = async () => (await this.sweep()).counts!.running > 0 && (await this.runningOn(workerId)) > 0;
    return this.until(running, `${workerId} runs cells`);
  }

  async untilFinished(): Promise<Sweep> {
    await this.until(
      async () => (await this.sweep()).state === SweepState.SWEEP_STATE_FINISHED,
      "the sweep is finished",
    );
    return this.sweep();
  }

  /** Messages of the coordinator's own lines and of all cells' logs, with whose attempt they are of. */
  lines(sweep = "faults") {
    const request = TailLogsRequest.fromPartial({ sweep });
    return all(readStream(this.connection.operator, OperatorServiceService.tailLogs, request));
  }

  /** Of every committed cell, the steps of its points, in the order in which they are stored. */
  async points(): Promise<ReadonlyMap<string, readonly number[]>> {
    const points = new Map<string, number[]>();
    const request = { sweep: "faults", cellId: "", namePrefix: "" };
    for await (const { cellId, metrics } of readStream(
      this.connection.operator,
      OperatorServiceService.listSeries,
      request,
    )) {
      const steps = points.get(cellId) ?? [];
      steps.push(...metrics!.step.map(Number));
      points.set(cellId, steps);
    }
    return points;
  }

  /** What `occam store check` says, beside the coordinator. */
  async check(): Promise<string> {
    const { stdout, stderr } = await occam(["store", "check", "--store", this.store]);
    return `${stdout}${stderr}`;
  }

  async close(): Promise<void> {
    for (const child of this.#workers) {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
    }
    this.connection.close();
    await this.#coordinator.kill();
  }

  async #listed(workerId: string) {
    const { workers } = await callUnary(this.connection.operator, OperatorServiceService.listWorkers, {}, PATIENT);
    return workers.find((worker) => worker.workerId === workerId);
  }

  #newCoordinator({ timings = {}, protocol }: ClusterOptions): CoordinatorProcess {
    const place = { root: ROOT, store: this.store, port: this.port, token: TOKEN };
    return new CoordinatorProcess({ ...place, timings, ...(protocol === undefined ? {} : { protocol }) });
  }
}

export const stateCounts = (cells: readonly ListCellsResponse[]) => ({
  committed: cells.filter(({ state }) => state === CellState.CELL_STATE_COMMITTED).length,
  quarantined: cells.filter(({ state }) => state === CellState.CELL_STATE_QUARANTINED).length,
  lost: cells.reduce((sum, { lost }) => sum + lost, 0),
  failed: cells.reduce((sum, { failed }) => sum + failed, 0),
});

async function all<R>(messages: AsyncIterable<R>): Promise<R[]> {
  const list: R[] = [];
  for await (const message of messages) list.push(message);
  return list;
}

const clusters: Cluster[] = [];
afterAll(async () => {
  await Promise.all(clusters.map((cluster) => cluster.close()));
});
