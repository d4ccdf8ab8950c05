/**
 * A worker process as the wire's contract describes it, with made-up training: it syncs, runs one shard at a time, uploads
 * streams by offset, commits, and repeats whatever is not answered. It can die, stand still and come back.
 */
import type { Coordinator } from "../../coordinator/coordinator.ts";
import type { CommitCommand } from "../../coordinator/lease/commit.ts";
import type { LeasePhase } from "../../coordinator/lease/lease-state.ts";
import type { SyncReply } from "../../coordinator/lease/sync-messages.ts";
import { asCellId, asSessionId, asWorkerId, type CellId, type LeaseToken } from "../../src/core/ids.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { madeUpResult } from "../unit/coordinator/coordinator-fixture.ts";
import type { Dice } from "./dice.ts";
import type { History } from "./history.ts";
import type { Network } from "./network.ts";

/** What a cell does to those who run it. */
export interface CellNature {
  /** "kills": the process that runs it dies; "fails": an error every time; "greedy": no memory for more than two at once. */
  readonly kind: "good" | "kills" | "fails" | "greedy";
  /** Its result, which every run of it gives, unless it is one that does not reproduce. */
  resultOf(token: LeaseToken): { readonly json: string; readonly digest: string };
  readonly points: number;
  readonly lines: number;
}

export interface WorkerWorld {
  readonly clock: FakeClock;
  readonly dice: Dice;
  readonly network: Network;
  readonly history: History;
  natureOf(configJson: string): CellNature;
  died(worker: ScriptedWorker): void;
}

interface Shard {
  readonly token: LeaseToken;
  readonly cells: readonly { readonly id: CellId; readonly nature: CellNature }[];
  /** Cells that nothing is to be done for any more. */
  readonly settled: Set<CellId>;
  /** Cells that broke: they are told of, and not trained on. */
  readonly broken: Set<CellId>;
  phase: LeasePhase;
  step: number;
}

const STEPS = 4;
const CALL_MS = 10_000;

export class ScriptedWorker {
  readonly id;
  readonly sessionId;
  alive = true;
  /** Stands still until this time. */
  #stillUntilMs = 0;
  readonly #world: WorkerWorld;
  readonly #shards = new Map<LeaseToken, Shard>();
  /** Tokens that it is through with: a late grant of one of them is not taken again. */
  readonly #past = new Set<LeaseToken>();
  #busy = false;
  draining = false;

  constructor(world: WorkerWorld, name: string, session: string) {
    this.#world = world;
    this.id = asWorkerId(name);
    this.sessionId = asSessionId(session);
    void this.#syncLoop();
  }

  /** SIGKILL. */
  kill(): void {
    this.alive = false;
  }

  /** SIGSTOP, and SIGCONT after a while. */
  standStill(forMs: number): void {
    this.#stillUntilMs = this.#world.clock.monotonicMs() + forMs;
  }

  /** Hands back what has not begun and takes nothing more. */
  drain(): void {
    this.draining = true;
    for (const shard of this.#shards.values()) if (shard.phase === "queued") void this.#handBack(shard);
  }

  async #syncLoop(): Promise<void> {
    const { clock, dice } = this.#world;
    while (await this.#goesOn()) {
      const held = [...this.#shards.values()].map(({ token, phase, step }) => ({
        token,
        progress: { phase, step, steps: STEPS },
      }));
      const freeSlots = this.#busy || this.draining ? 0 : 1;
      const reply = await this.#call(freeSlots > 0 ? CALL_MS + 20_000 : CALL_MS, (coordinator, signal) => {
        for (const { token } of held) this.#world.history.listedMs.set(token, coordinator.hot.leaseClock.nowMs());
        return coordinator.sync(this.#syncCommand(freeSlots, held), signal);
      });
      if (reply?.fenced === true) return this.kill();
      if (reply !== undefined && (await this.#goesOn())) this.#follow(reply);
      await clock.sleep(freeSlots > 0 && reply !== undefined ? 200 : dice.integer(4_000, 6_000));
    }
  }

  #syncCommand(freeSlots: number, held: Parameters<Coordinator["sync"]>[0]["held"]) {
    return {
      workerId: this.id,
      sessionId: this.sessionId,
      capabilities: {
        backend: "wasm",
        maxFuseWidth: 4,
        memoryBytes: 0,
        host: "h",
        pid: 1,
        packageVersion: "0",
        numericsVersion: 0,
      },
      freeSlots,
      held,
      draining: this.draining,
      waitMs: freeSlots > 0 ? 20_000 : 0,
    };
  }

  #follow(reply: SyncReply): void {
    for (const { token, cellIds } of reply.revocations) this.#revoke(token, cellIds);
    for (const grant of reply.grants) {
      const { token } = grant;
      if (this.#shards.has(token) || this.#past.has(token) || this.draining) continue;
      this.#world.history.grant(token);
      const cells = grant.cells.map(({ cellId, configJson }) => ({
        id: asCellId(cellId),
        nature: this.#world.natureOf(configJson),
      }));
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
    if (this.alive) await this.#runNext();
  }

  async #run(shard: Shard): Promise<void> {
    const { clock, dice } = this.#world;
    for (const phase of ["train", "estimate"] as const) {
      shard.phase = phase;
      for (shard.step = 0; shard.step < STEPS; shard.step += 1) {
        await clock.sleep(dice.integer(200, 2_000));
        if (!(await this.#goesOn()) || shard.settled.size === shard.cells.length) return;
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
      this.#world.died(this);
      return true;
    }
    if (open.length > 2 && open.some((cell) => cell.nature.kind === "greedy")) {
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

  async #upload(shard: Shard, { id, nature }: Shard["cells"][number]): Promise<void> {
    const counts = { metricCount: nature.points, logCount: nature.lines };
    while (await this.#goesOn()) {
      await this.#push(shard, id, "metrics", nature.points);
      await this.#push(shard, id, "logs", nature.lines);
      const result = nature.resultOf(shard.token);
      const outcome = await this.#tell(shard, id, { kind: "result", ...result, ...counts });
      if (outcome !== "incomplete") return;
    }
  }

  /** Until every record is acknowledged, or the stream is closed. */
  async #push(shard: Shard, cellId: CellId, kind: "metrics" | "logs", count: number): Promise<void> {
    const { dice, history, clock } = this.#world;
    for (let next = 0; next < count && (await this.#goesOn());) {
      const size = dice.integer(1, count - next);
      // Sometimes a batch goes out of turn, before the one that it follows.
      const first = dice.chance(0.1) ? Math.min(count - 1, next + 1) : next;
      const numbers = Array.from({ length: Math.min(size, count - first) }, (_, index) => first + index);
      const command = this.#pushCommand(shard.token, cellId, kind, first, numbers);
      const reply = await this.#call(CALL_MS, (coordinator) => coordinator.push(command));
      if (reply === undefined) {
        await clock.sleep(500);
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
    return { workerId: this.id, sessionId: this.sessionId, attempt: { cellId, token }, firstOffset, records };
  }

  /** Says how a cell ended until it is answered. */
  async #tell(shard: Shard, cellId: CellId, outcome: CommitCommand["outcome"]): Promise<string> {
    const { history, clock } = this.#world;
    const { token } = shard;
    while (await this.#goesOn()) {
      const command = { workerId: this.id, sessionId: this.sessionId, cellId, token, outcome };
      const reply = await this.#call(CALL_MS, async (coordinator) => {
        const answer = await coordinator.commit(command);
        const digest = outcome.kind === "result" ? outcome.digest : "";
        if (answer.outcome === "committed") history.committed.push({ cellId, token, digest });
        if (answer.outcome === "duplicate-different") history.different.push({ cellId, token, digest });
        return answer;
      });
      if (reply !== undefined) {
        if (reply.outcome !== "incomplete") this.#settle(shard, cellId);
        return reply.outcome;
      }
      await clock.sleep(1_000);
    }
    return "";
  }

  #settle(shard: Shard, cellId: CellId): void {
    shard.settled.add(cellId);
    if (shard.settled.size < shard.cells.length) return;
    this.#shards.delete(shard.token);
    this.#past.add(shard.token);
  }

  async #call<R>(
    timeoutMs: number,
    run: (coordinator: Coordinator, signal: AbortSignal) => Promise<R>,
  ): Promise<R | undefined> {
    try {
      return await this.#world.network.call(this.id, timeoutMs, run);
    } catch {
      return undefined;
    }
  }

  /** Waits while the process stands still. False: it is dead. */
  async #goesOn(): Promise<boolean> {
    for (;;) {
      if (!this.alive) return false;
      const waitMs = this.#stillUntilMs - this.#world.clock.monotonicMs();
      if (waitMs <= 0) return true;
      await this.#world.clock.sleep(waitMs);
    }
  }
}

/** A result that depends on the cell, and on the token as well when it does not reproduce. */
export function naturalResult(cell: number, reproduces: boolean): CellNature["resultOf"] {
  return (token) => madeUpResult(reproduces ? cell : cell + Number(token) / 1000);
}
