/**
 * A worker process as the wire's contract describes it, with made-up training, that plays foul as no right worker does: it sends
 * batches out of turn, forged tokens, results that are none, and outcomes of cells that it does not hold.
 */
import type { CommitCommand } from "../../coordinator/lease/commit.ts";
import type { LeasePhase } from "../../coordinator/lease/lease-state.ts";
import type { SyncReply } from "../../coordinator/lease/sync-messages.ts";
import { asCellId, asLeaseToken, asSessionId, asWorkerId, type CellId, type LeaseToken } from "../../src/core/ids.ts";
import type { SimWorker, WorkerWorld } from "./agent-worker.ts";
import { cellId, numberOf } from "./cells.ts";
import { resultOf, type CellNature } from "./cell-nature.ts";
import type { CoordinatorProcess } from "./coordinator-process.ts";
import { ProcessClock } from "./process-clock.ts";

interface Shard {
  readonly token: LeaseToken;
  readonly cells: readonly { readonly id: CellId; readonly number: number; readonly nature: CellNature }[];
  /** Cells that nothing is to be done for any more. */
  readonly settled: Set<CellId>;
  /** Cells that broke: they are told of, and not trained on. */
  readonly broken: Set<CellId>;
  phase: LeasePhase;
  step: number;
}

const STEPS = 4;
const CALL_MS = 10_000;

export class ScriptedWorker implements SimWorker {
  readonly id: string;
  readonly clock: ProcessClock;
  draining = false;
  readonly #session: string;
  readonly #world: WorkerWorld;
  readonly #shards = new Map<LeaseToken, Shard>();
  /** Tokens that it is through with: a late grant of one of them is not taken again. */
  readonly #past = new Set<LeaseToken>();
  #busy = false;
  #epoch = 0n;

  constructor(world: WorkerWorld, name: string, session: string, skewMs: number) {
    this.#world = world;
    this.id = name;
    this.#session = session;
    this.clock = new ProcessClock(world.clock, skewMs);
    void this.#syncLoop();
  }

  get alive(): boolean {
    return this.clock.alive;
  }

  kill(): void {
    this.clock.kill();
  }

  standStill(forMs: number): void {
    this.clock.standStill(forMs);
  }

  /** Hands back what has not begun, takes nothing more, and is gone after a while. */
  drain(): void {
    this.draining = true;
    for (const shard of this.#shards.values()) if (shard.phase === "queued") void this.#handBack(shard);
    this.clock.after(10_000, () => {
      this.kill();
      this.#world.died(this, "drained");
    });
  }

  async #syncLoop(): Promise<void> {
    const { dice } = this.#world;
    for (;;) {
      const held = [...this.#shards.values()].map(({ token, phase, step }) => ({
        token,
        progress: { phase, step, steps: STEPS },
      }));
      const freeSlots = this.#busy || this.draining ? 0 : 1;
      const reply = await this.#call(freeSlots > 0 ? CALL_MS + 20_000 : CALL_MS, (process, signal) =>
        this.#sync(process, freeSlots, held, signal),
      );
      if (reply?.fenced === true) return this.kill();
      if (reply !== undefined) this.#follow(reply);
      if (dice.chance(0.1)) void this.#playFoul();
      await this.clock.sleep(freeSlots > 0 && reply !== undefined ? 200 : dice.integer(4_000, 6_000));
    }
  }

  /** undefined: the answer of a coordinator that was replaced. */
  async #sync(
    process: CoordinatorProcess,
    freeSlots: number,
    held: readonly {
      readonly token: LeaseToken;
      readonly progress: { phase: LeasePhase; step: number; steps: number };
    }[],
    signal: AbortSignal,
  ): Promise<SyncReply | undefined> {
    const { hot } = process.coordinator!;
    process.listed(held.map(({ token }) => token));
    const command = {
      ...this.#identity(),
      capabilities: {
        backend: "wasm",
        maxFuseWidth: 4,
        memoryBytes: 0,
        host: "h",
        pid: 1,
        packageVersion: "0",
        numericsVersion: 0,
        labels: {},
      },
      freeSlots,
      held,
      draining: this.draining,
      waitMs: freeSlots > 0 ? 20_000 : 0,
      heardReply: 0,
    };
    const reply = await process.coordinator!.sync(command, signal);
    if (reply.fenced) this.#world.history.fenced += 1;
    for (const { token, cells } of reply.grants) {
      const ids = cells.map((cell) => cell.cellId);
      this.#world.history.grant(hot.epoch, this.id, token, ids);
    }
    if (hot.epoch < this.#epoch) return undefined;
    this.#epoch = hot.epoch;
    return reply;
  }

  #identity() {
    return { workerId: asWorkerId(this.id), sessionId: asSessionId(this.#session) };
  }

  #follow(reply: SyncReply): void {
    for (const { token, cellIds } of reply.revocations) this.#revoke(token, cellIds);
    for (const grant of reply.grants) {
      const { token } = grant;
      if (this.#shards.has(token) || this.#past.has(token) || this.draining) continue;
      const cells = grant.cells.map((cell) => {
        const number = numberOf(cell.cellId);
        return { id: asCellId(cell.cellId), number, nature: this.#world.natureOf(number) };
      });
      this.#shards.set(token, { token, cells, settled: new Set(), broken: new Set(), phase: "queued", step: 0 });
      void this.#runNext();
    }
  }

  /** What is computed is uploaded all the same: the coordinator may salvage it. */
  #revoke(token: LeaseToken, cellIds: readonly string[]): void {
    const shard = this.#shards.get(token);
    if (shard === undefined || shard.phase === "upload") return;
    const ids = cellIds.length === 0 ? shard.cells.map((cell) => cell.id) : cellIds.map(asCellId);
    for (const id of ids) this.#settle(shard, id);
  }

  async #runNext(): Promise<void> {
    if (this.#busy) return;
    const next = [...this.#shards.values()].find((shard) => shard.phase === "queued");
    if (next === undefined) return;
    this.#busy = true;
    await this.#run(next);
    this.#busy = false;
    await this.#runNext();
  }

  async #run(shard: Shard): Promise<void> {
    const { dice, stepMs } = this.#world;
    for (const phase of ["train", "estimate"] as const) {
      shard.phase = phase;
      for (shard.step = 0; shard.step < STEPS; shard.step += 1) {
        await this.clock.sleep(dice.integer(Math.ceil(stepMs / 5), 2 * stepMs));
        if (shard.settled.size === shard.cells.length) return;
        if (phase === "train" && shard.step === 2 && this.#breaks(shard)) return;
      }
    }
    shard.phase = "upload";
    for (const cell of shard.cells)
      if (!shard.settled.has(cell.id) && !shard.broken.has(cell.id)) void this.#upload(shard, cell);
  }

  /** True when the shard, or the process, is over. */
  #breaks(shard: Shard): boolean {
    const open = shard.cells.filter((cell) => !shard.settled.has(cell.id));
    if (open.some((cell) => cell.nature.kind === "kills")) {
      this.kill();
      this.#world.died(this, "a cell killed it");
      return true;
    }
    if (open.some(({ nature }) => nature.kind === "greedy" && open.length > nature.fits)) {
      for (const { id } of open) void this.#tell(shard, id, { kind: "out-of-memory", reason: "no space" });
      return true;
    }
    for (const { id, nature } of open) {
      if (nature.kind !== "fails") continue;
      shard.broken.add(id);
      void this.#tell(shard, id, { kind: "failed", reason: "always" });
    }
    return open.every((cell) => cell.nature.kind === "fails");
  }

  async #handBack(shard: Shard): Promise<void> {
    for (const { id } of shard.cells) void this.#tell(shard, id, { kind: "handed-back", reason: "drain" });
  }

  async #upload(shard: Shard, { id, number, nature }: Shard["cells"][number]): Promise<void> {
    const counts = { metricCount: nature.points, logCount: nature.lines };
    for (;;) {
      await this.#push(shard, id, "metrics", nature.points);
      await this.#push(shard, id, "logs", nature.lines);
      const { json, digest } = resultOf(number, nature, shard.token);
      const outcome = await this.#tell(shard, id, { kind: "result", json, digest, ...counts });
      if (outcome !== "incomplete") return;
    }
  }

  /** Until every record is acknowledged, or the stream is closed. */
  async #push(shard: Shard, cellId: CellId, kind: "metrics" | "logs", count: number): Promise<void> {
    const { dice, history } = this.#world;
    for (let next = 0; next < count;) {
      const size = dice.integer(1, count - next);
      // Sometimes a batch goes out of turn, before the one that it follows.
      const first = dice.chance(0.1) ? Math.min(count - 1, next + 1) : next;
      const numbers = Array.from({ length: Math.min(size, count - first) }, (_, index) => first + index);
      const command = this.#pushCommand(shard.token, cellId, kind, first, numbers);
      const reply = await this.#call(CALL_MS, (process) => process.coordinator!.push(command));
      if (reply === undefined) {
        await this.clock.sleep(500);
        continue;
      }
      history.ack(cellId, shard.token, kind, reply.nextOffset);
      if (reply.fenced) return;
      next = reply.nextOffset;
    }
  }

  #pushCommand(token: LeaseToken, cellId: CellId, kind: "metrics" | "logs", firstOffset: number, numbers: number[]) {
    const records =
      kind === "metrics"
        ? {
            kind,
            columns: {
              names: ["s"],
              name: numbers.map(() => 0),
              step: numbers.map(BigInt),
              value: numbers.map((n) => n / 2),
            },
          }
        : {
            kind,
            lines: numbers.map((n) => ({ timeMs: 1, level: 2, message: `line ${n}`, fieldsJson: "" })),
          };
    return { ...this.#identity(), attempt: { cellId, token }, firstOffset, records };
  }

  /** Says how a cell ended until it is answered. */
  async #tell(shard: Shard, cellId: CellId, outcome: CommitCommand["outcome"]): Promise<string> {
    const { token } = shard;
    for (;;) {
      const reply = await this.#commit({ ...this.#identity(), cellId, token, outcome });
      if (reply !== undefined) {
        if (reply.outcome !== "incomplete") this.#settle(shard, cellId);
        return reply.outcome;
      }
      await this.clock.sleep(1_000);
    }
  }

  #commit(command: CommitCommand) {
    const { cellId, token, outcome } = command;
    return this.#call(CALL_MS, async (process) => {
      const answer = await process.coordinator!.commit(command);
      const digest = outcome.kind === "result" ? outcome.digest : "";
      this.#world.history.commit(cellId, token, answer.outcome, digest, process.isOpen(cellId));
      return answer;
    });
  }

  /** What no right worker sends, and what must change nothing. */
  async #playFoul(): Promise<void> {
    const { dice, foulCells, history } = this.#world;
    const number = dice.integer(0, foulCells - 1);
    const victim = cellId(number);
    const token = asLeaseToken(BigInt(dice.integer(0, 30)));
    const own = [...this.#shards.values()].at(-1);
    const { json, digest } = resultOf(number, { ...this.#world.natureOf(number), reproduces: true }, token);
    const sent = { kind: "result", json, digest, metricCount: 0, logCount: 0 } as const;
    const forger = { ...this.#identity(), workerId: asWorkerId(`${this.id}'s forger`) };
    const commit = async (command: Omit<CommitCommand, "cellId">): Promise<void> => {
      const reply = await this.#call(CALL_MS, (process) => process.coordinator!.commit({ ...command, cellId: victim }));
      if (reply !== undefined && reply.outcome !== "fenced") history.wrong.push(`foul play was ${reply.outcome}`);
    };
    switch (
      dice.pick(["forged result", "forged failure", "wrong cell", "wrong digest", "no result", "batch"] as const)
    ) {
      case "forged result":
        return commit({ ...forger, token, outcome: sent });
      case "forged failure":
        return commit({ ...forger, token, outcome: { kind: "failed", reason: "a lie" } });
      case "wrong cell":
        if (own === undefined || own.cells.some(({ id }) => id === victim)) return;
        return commit({ ...this.#identity(), token: own.token, outcome: sent });
      case "wrong digest":
        return commit({ ...this.#identity(), token, outcome: { ...sent, digest: "0".repeat(64) } });
      case "no result":
        return commit({ ...this.#identity(), token, outcome: { ...sent, json: '{"outcome":"ok","testLoss":NaN}' } });
      case "batch": {
        const command = { ...this.#pushCommand(token, victim, "metrics", 0, [7, 7, 7]), workerId: forger.workerId };
        const reply = await this.#call(CALL_MS, (process) => process.coordinator!.push(command));
        if (reply !== undefined && !reply.fenced) history.wrong.push("a forged batch was taken");
      }
    }
  }

  #settle(shard: Shard, cellId: CellId): void {
    shard.settled.add(cellId);
    if (shard.settled.size < shard.cells.length) return;
    this.#shards.delete(shard.token);
    this.#past.add(shard.token);
  }

  /** undefined: no answer, or an error. */
  async #call<R>(
    timeoutMs: number,
    run: (process: CoordinatorProcess, signal: AbortSignal) => Promise<R>,
  ): Promise<R | undefined> {
    try {
      return await this.#world.network.call(this, timeoutMs, run);
    } catch {
      return undefined;
    }
  }
}
