/** A real coordinator over a real store in memory, a clock that tests move, and sweeps of made-up cells. */
import { afterEach } from "vitest";
import { Coordinator } from "../../../coordinator/coordinator.ts";
import type { CommitCommand, CommitReply, Fault } from "../../../coordinator/lease/commit.ts";
import type { LeasePhase } from "../../../coordinator/lease/lease-state.ts";
import type { SyncCommand, SyncReply } from "../../../coordinator/lease/sync-messages.ts";
import { openMemoryStore } from "../../../coordinator/store/sqlite/open-sqlite.ts";
import type { Store } from "../../../coordinator/store/store.ts";
import type { ReadSpec, SpecReader } from "../../../coordinator/sweep/spec-reader.ts";
import type { Submission } from "../../../coordinator/sweep/sweep-desk.ts";
import type { Timings } from "../../../coordinator/timings.ts";
import { sha256Hex } from "../../../src/core/canonical-json.ts";
import {
  asCellId,
  asFuseKey,
  asLeaseToken,
  asSessionId,
  asSweepId,
  asWorkerId,
  type CellId,
  type LeaseToken,
} from "../../../src/core/ids.ts";
import { resultDigest, type CellResult } from "../../../src/result/cell-result.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { quietLogger } from "../../support/quiet-logger.ts";
import { wholeEstimate, wholeResult } from "../../support/whole-result.ts";

/** A made-up sweep file: as many cells, over as many fuse keys. Cells of one `from` are the same in every such sweep. */
export interface MadeUpSpec {
  readonly name: string;
  readonly cells: number;
  readonly fuseKeys?: number;
  readonly from?: number;
  /** Grid points that throw. */
  readonly broken?: readonly number[];
}

export const specText = (spec: MadeUpSpec): string => JSON.stringify(spec);
export const cellIdOf = (number: number): CellId => asCellId(sha256Hex(`made-up cell ${number}`));

export const madeUpSpecs: SpecReader = {
  read: async (text): Promise<ReadSpec> => {
    const { name, cells, fuseKeys = 1, from = 0, broken = [] } = JSON.parse(text) as MadeUpSpec;
    return {
      name,
      gridSize: cells,
      mayRepeat: false,
      id: (requestId) => asSweepId(`${name}-${sha256Hex(text + (requestId ?? "")).slice(0, 10)}`),
      at: (index) => {
        if (broken.includes(index)) throw new Error(`point ${index} is broken`);
        const fuseKey = asFuseKey(sha256Hex(`fuse ${index % fuseKeys}`).slice(0, 16));
        const arm = { fuseKey, before: [], after: [], bytesPerMember: 1_000_000, flops: 1_000_000 };
        return { id: cellIdOf(from + index), arm, own: JSON.stringify({ cell: from + index }) };
      },
      label: (index) => `cell=${from + index}`,
    };
  },
};

/** A result whose digest depends on `lambdaHat` alone. */
export function madeUpResult(lambdaHat: number, outcome: CellResult["outcome"] = "ok") {
  const isOk = outcome === "ok";
  const result = wholeResult({
    outcome,
    reason: isOk ? "" : "the loss was NaN at step 3",
    stopped: isOk ? "budget" : "diverged",
    estimate: isOk ? wholeEstimate({ lambdaHat, quad: lambdaHat }) : null,
  });
  return { json: JSON.stringify(result), digest: resultDigest(result) };
}

const open: { coordinator: Coordinator; store: Store }[] = [];

afterEach(async () => {
  for (const { coordinator, store } of open.splice(0)) {
    await coordinator.stop();
    await store.close();
  }
});

export interface World {
  readonly coordinator: Coordinator;
  readonly store: Store;
  readonly clock: FakeClock;
  /** A new coordinator on the same store; the old one is abandoned as a killed process is. */
  restart(): Promise<World>;
  submit(spec: MadeUpSpec, options?: Partial<Submission>): ReturnType<Coordinator["sweeps"]["submit"]>;
}

/** Writes are applied at once, so that tests need not move the clock to be answered. */
export async function openWorld(timings: Partial<Timings> = {}, expectedWorkers = 0): Promise<World> {
  return worldOn(await openMemoryStore(), new FakeClock(), { gatherMs: 0, ...timings }, expectedWorkers);
}

async function worldOn(
  store: Store,
  clock: FakeClock,
  timings: Partial<Timings>,
  expectedWorkers: number,
): Promise<World> {
  const logger = quietLogger;
  const coordinator = await Coordinator.open({ store, clock, logger, specs: madeUpSpecs, timings, expectedWorkers });
  const entry = { coordinator, store };
  open.push(entry);
  return {
    coordinator,
    store,
    clock,
    restart: () => {
      coordinator.abandon();
      open.splice(open.indexOf(entry), 1);
      return worldOn(store, clock, timings, expectedWorkers);
    },
    submit: (spec, options = {}) =>
      coordinator.sweeps.submit({
        specText: specText(spec),
        fileName: "made-up.json",
        noCache: false,
        requestId: "",
        ...options,
      }),
  };
}

/** A worker that does what a test tells it to. */
export class HandWorker {
  readonly #world: () => World;
  readonly id;
  session;
  held: { token: LeaseToken; phase: LeasePhase; step?: number; steps?: number }[] = [];
  maxFuseWidth = 4;
  draining = false;
  backend = "wasm";
  memoryBytes = 0;
  labels: Record<string, string> = {};

  constructor(world: () => World, id = "w1", session = "s1") {
    this.#world = world;
    this.id = asWorkerId(id);
    this.session = asSessionId(session);
  }

  async sync(overrides: Partial<SyncCommand> = {}, signal = new AbortController().signal): Promise<SyncReply> {
    return this.#world().coordinator.sync(
      {
        workerId: this.id,
        sessionId: this.session,
        capabilities: {
          backend: this.backend,
          maxFuseWidth: this.maxFuseWidth,
          memoryBytes: this.memoryBytes,
          host: "here",
          pid: 1,
          packageVersion: "0",
          numericsVersion: 0,
          labels: this.labels,
        },
        freeSlots: 1,
        held: this.held.map(({ token, phase, step = 0, steps = 0 }) => ({ token, progress: { phase, step, steps } })),
        draining: this.draining,
        waitMs: 0,
        heardReply: 0,
        ...overrides,
      },
      signal,
    );
  }

  /** Asks for one shard, accepts it and says that it runs. */
  async take(phase: LeasePhase = "train"): Promise<{ token: LeaseToken; cells: CellId[] }> {
    const { grants } = await this.sync();
    const [grant] = grants;
    if (grant === undefined) throw new Error("nothing was granted");
    this.held.push({ token: grant.token, phase });
    await this.sync({ freeSlots: 0 });
    return { token: grant.token, cells: grant.cells.map((cell) => asCellId(cell.cellId)) };
  }

  commit(cellId: CellId, token: LeaseToken, outcome: CommitCommand["outcome"]): Promise<CommitReply> {
    return this.#world().coordinator.commit({ workerId: this.id, sessionId: this.session, cellId, token, outcome });
  }

  result(cellId: CellId, token: LeaseToken, lambdaHat = 1, counts = { metricCount: 0, logCount: 0 }) {
    return this.commit(cellId, token, { kind: "result", ...madeUpResult(lambdaHat), ...counts });
  }

  fail(cellId: CellId, token: LeaseToken, kind: Fault = "failed", reason = "it broke") {
    return this.commit(cellId, token, { kind, reason });
  }

  pushMetrics(cellId: CellId, token: LeaseToken, firstOffset: number, count: number) {
    const numbers = Array.from({ length: count }, (_, index) => firstOffset + index);
    return this.#world().coordinator.push({
      workerId: this.id,
      sessionId: this.session,
      attempt: { cellId, token },
      firstOffset,
      records: {
        kind: "metrics",
        columns: {
          names: ["train.loss"],
          name: numbers.map(() => 0),
          step: numbers.map(BigInt),
          value: numbers.map((each) => (each % 5 === 4 ? Number.NaN : each / 2)),
        },
      },
    });
  }

  pushLogs(
    attempt: { cellId: CellId; token: LeaseToken } | undefined,
    firstOffset: number,
    messages: readonly string[],
    timeMs = 1_700_000_000_000,
  ) {
    return this.#world().coordinator.push({
      workerId: this.id,
      sessionId: this.session,
      attempt,
      firstOffset,
      records: {
        kind: "logs",
        lines: messages.map((message) => ({ timeMs, level: 2, message, fieldsJson: "" })),
      },
    });
  }
}

export const leaseToken = (value: number): LeaseToken => asLeaseToken(BigInt(value));
