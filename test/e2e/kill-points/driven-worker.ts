/**
 * A worker over real gRPC with made-up training: it syncs, runs shards, uploads their streams by offset, commits, and repeats
 * whatever was not answered. It never dies, so that everything that it was granted has to run through every restart of the
 * coordinator. What it is told goes into the ledger.
 */
import { BulkServiceService, type PushRequest } from "../../../proto/gen/occam/v1/bulk.ts";
import { LogLevel } from "../../../proto/gen/occam/v1/common.ts";
import {
  ControlServiceService,
  FailureKind,
  LeasePhase,
  type CommitRequest,
  type Grant,
  type SyncResponse,
} from "../../../proto/gen/occam/v1/control.ts";
import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../../../src/core/version.ts";
import { callUnary, openDuplex } from "../../../src/rpc/client-calls.ts";
import { commitOutcome, streamKind, type StreamName } from "../../../src/wire/enums.ts";
import type { Dice } from "../../simulation/dice.ts";
import type { Attempt, Ledger, RecordsPromise } from "./ledger.ts";
import type { Line } from "./line.ts";
import { lineOf, scriptOf, sweepOf, valueOf, type CellScript } from "./made-up-cells.ts";

interface RunningCell extends Attempt {
  readonly script: CellScript;
  readonly sweep: number;
  /** Its end was told, and perhaps heard. */
  told: boolean;
  settled: boolean;
}

interface Shard {
  readonly token: bigint;
  readonly cells: readonly RunningCell[];
}

/** Cells of one shard, at the most. */
const FUSE_WIDTH = 4;
const POLL_MS = 100;
const BEAT_MS = 50;
const BATCH = 16;

export class DrivenWorker {
  readonly id: string;
  readonly #line: Line;
  readonly #ledger: Ledger;
  readonly #dice: Dice;
  readonly #shards = new Map<bigint, Shard>();
  /** Tokens that it is through with. */
  readonly #past = new Set<bigint>();
  #ownLines = 0;
  #epoch = 0n;

  constructor(id: string, line: Line, ledger: Ledger, dice: Dice) {
    this.id = id;
    this.#line = line;
    this.#ledger = ledger;
    this.#dice = dice;
  }

  /** It holds nothing, and has heard the end of all that it held. */
  get idle(): boolean {
    return this.#shards.size === 0;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#syncLoop(signal), this.#ownLog(signal)]);
  }

  async #syncLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const held = [...this.#shards.keys()];
      const idle = held.length === 0;
      const reply = await this.#line.untilAnswered((connection) => {
        this.#ledger.saw("sync");
        return callUnary(connection.control, ControlServiceService.sync, this.#state(held), {
          deadlineMs: 5_000,
          signal,
        });
      }, signal);
      if (reply !== undefined) this.#follow(reply, held, signal);
      await this.#line.pause(idle ? 5 : BEAT_MS);
    }
  }

  #state(held: readonly bigint[]) {
    const idle = held.length === 0;
    return {
      protocolVersion: PROTOCOL_VERSION,
      oldestProtocolVersion: 0,
      workerId: this.id,
      sessionId: `session of ${this.id}`,
      capabilities: {
        backend: "wasm",
        maxFuseWidth: FUSE_WIDTH,
        labels: {},
        memoryBytes: 0n,
        host: "here",
        pid: 1,
        packageVersion: PACKAGE_VERSION,
        numericsVersion: 0,
      },
      freeSlots: idle ? 1 : 0,
      held: held.map((token) => ({ token, phase: LeasePhase.LEASE_PHASE_TRAIN, step: 1n, steps: 10n })),
      draining: false,
      waitMs: idle ? POLL_MS : 0,
      heardReply: 0n,
    };
  }

  #follow(reply: SyncResponse, held: readonly bigint[], signal: AbortSignal): void {
    const { coordinatorEpoch, grants, renewals, revocations } = reply;
    if (coordinatorEpoch < this.#epoch)
      this.#ledger.broken(`${this.id}: epoch ${coordinatorEpoch} after ${this.#epoch}`);
    this.#epoch = coordinatorEpoch;
    this.#ledger.heardEpoch(coordinatorEpoch);
    if (reply.fenced || reply.drain) this.#ledger.broken(`${this.id} was fenced or drained`);
    const kept = new Set(renewals.map(({ token }) => token));
    for (const { token, reason } of revocations) this.#revoked(token, reason);
    for (const token of held) {
      if (!kept.has(token) && !revocations.some((each) => each.token === token))
        this.#ledger.broken(`${this.id}: lease ${token} was neither renewed nor revoked`);
    }
    for (const grant of grants) this.#take(grant, signal);
  }

  /** Of a lease whose last cell was told of, or of a cancelled sweep; else running work was taken away. */
  #revoked(token: bigint, reason: string): void {
    const running = (this.#shards.get(token)?.cells ?? []).filter((cell) => !cell.settled && !cell.told);
    if (running.some(({ sweep }) => !this.#ledger.mayBeCancelled(sweep)))
      this.#ledger.broken(`${this.id}: running lease ${token} was revoked: ${reason}`);
    for (const cell of running) cell.settled = true;
  }

  #take({ token, cells }: Grant, signal: AbortSignal): void {
    this.#ledger.granted(
      this.id,
      token,
      cells.map(({ cellId }) => cellId),
    );
    if (this.#shards.has(token) || this.#past.has(token)) return;
    const running = cells.map(({ cellId, configJson }) => ({
      cellId,
      token,
      script: scriptOf(cellId),
      sweep: sweepOf(configJson),
      told: false,
      settled: false,
    }));
    const shard = { token, cells: running };
    this.#shards.set(token, shard);
    void this.#runShard(shard, signal);
  }

  async #runShard({ token, cells }: Shard, signal: AbortSignal): Promise<void> {
    for (const cell of cells) {
      if (!cell.settled && !signal.aborted) await this.#runCell(cell, signal);
    }
    if (signal.aborted) return;
    this.#shards.delete(token);
    this.#past.add(token);
  }

  async #runCell(cell: RunningCell, signal: AbortSignal): Promise<void> {
    const { cellId, script } = cell;
    await this.#line.pause(this.#dice.integer(0, 60));
    await Promise.all([
      this.#upload(cell, "metrics", script.points, signal),
      this.#upload(cell, "logs", script.lines, signal),
    ]);
    if (cell.settled || signal.aborted) return;
    const fault = script.faults[this.#ledger.timesGivenBack(cellId)];
    if (fault !== undefined) this.#ledger.givesBack(cell);
    await this.#commit(cell, fault, signal);
  }

  /** Sends records until all of them are acknowledged, from the acknowledged offset or from a little before it. */
  async #upload(cell: RunningCell, kind: StreamName, count: number, signal: AbortSignal): Promise<void> {
    const stream = this.#ledger.stream(cell, kind, "");
    await this.#line.untilAnswered(async ({ bulk }) => {
      const duplex = openDuplex(bulk, BulkServiceService.push, { signal });
      const batches = this.#batches(stream, cell.token, String(cell.token), count);
      const sent = (async () => {
        for (const batch of batches) {
          this.#ledger.saw("push");
          await duplex.send(batch);
        }
        duplex.end();
      })();
      sent.catch(() => undefined);
      for await (const { nextOffset, fenced } of duplex.responses) {
        if (fenced) {
          if (!this.#ledger.mayBeCancelled(cell.sweep))
            this.#ledger.broken(`${kind} of ${cell.token}/${cell.cellId} are fenced`);
          cell.settled = true;
          return true;
        }
        this.#ledger.ackedRecords(stream, Number(nextOffset), count);
      }
      await sent;
      if (stream.acked < count)
        this.#ledger.broken(`${kind} of ${cell.token}/${cell.cellId}: the call ended at ${stream.acked}`);
      return true;
    }, signal);
  }

  #batches(stream: RecordsPromise, token: bigint, owner: string, count: number): PushRequest[] {
    const batches: PushRequest[] = [];
    const overlap = this.#dice.chance(0.3) ? this.#dice.integer(1, BATCH) : 0;
    for (let first = Math.max(0, stream.acked - overlap); first < count; first += BATCH) {
      const indices = Array.from({ length: Math.min(BATCH, count - first) }, (_, at) => first + at);
      const isMetrics = stream.kind === "metrics";
      batches.push({
        workerId: this.id,
        sessionId: `session of ${this.id}`,
        cellId: stream.cellId,
        token,
        kind: streamKind.toWire(stream.kind),
        firstOffset: BigInt(first),
        metrics: !isMetrics
          ? undefined
          : {
              names: ["train.loss"],
              name: indices.map(() => 0),
              step: indices.map(BigInt),
              value: indices.map((index) => valueOf(token, index)),
            },
        logs: isMetrics
          ? []
          : indices.map((index) => ({
              timeMs: 1_700_000_000_000n,
              level: LogLevel.LOG_LEVEL_INFO,
              message: lineOf(owner, index),
              fieldsJson: "",
            })),
      });
    }
    return batches;
  }

  async #commit(cell: RunningCell, fault: "failure" | "handback" | undefined, signal: AbortSignal): Promise<void> {
    const { cellId, token } = cell;
    const outcome = this.#outcome(cell, fault);
    cell.told = true;
    const answer = await this.#line.untilAnswered((connection) => {
      this.#ledger.saw("commit");
      const request = { workerId: this.id, sessionId: `session of ${this.id}`, cellId, token, outcome };
      return callUnary(connection.control, ControlServiceService.commit, request, { deadlineMs: 5_000, signal });
    }, signal);
    if (answer === undefined) return;
    this.#ledger.saw("acked-commit");
    cell.settled = true;
    this.#heard(cell, fault, commitOutcome.fromWire(answer.outcome), answer.detail);
  }

  #outcome({ script }: RunningCell, fault: "failure" | "handback" | undefined): CommitRequest["outcome"] {
    if (fault === "handback") return { $case: "handback", value: { reason: "it was in the script" } };
    if (fault === "failure")
      return { $case: "failure", value: { kind: FailureKind.FAILURE_KIND_ERROR, reason: "it was in the script" } };
    const counts = { metricCount: BigInt(script.points), logCount: BigInt(script.lines) };
    return { $case: "result", value: { ...script.result, ...counts } };
  }

  #heard(cell: RunningCell, fault: "failure" | "handback" | undefined, outcome: string, detail: string): void {
    const { cellId, token, script } = cell;
    if (outcome === "fenced" && this.#ledger.mayBeCancelled(cell.sweep)) return;
    const expected = fault === undefined ? ["committed", "duplicate-same"] : ["noted"];
    if (!expected.includes(outcome))
      return this.#ledger.broken(
        `the ${fault ?? "result"} of ${token}/${cellId} was answered by ${outcome}: ${detail}`,
      );
    if (fault !== undefined) return this.#ledger.noted(cell, fault);
    this.#ledger.took(cellId, { token, workerId: this.id, json: script.result.json }, outcome === "committed");
  }

  /** Its own log goes on all the time: lines of no cell. */
  async #ownLog(signal: AbortSignal): Promise<void> {
    const stream = this.#ledger.stream({ cellId: "", token: 0n }, "logs", this.id);
    while (!signal.aborted) {
      this.#ownLines += this.#dice.integer(1, 3);
      const count = this.#ownLines;
      await this.#line.untilAnswered(async ({ bulk }) => {
        const duplex = openDuplex(bulk, BulkServiceService.push, { signal });
        for (const batch of this.#batches(stream, 0n, this.id, count)) await duplex.send(batch);
        duplex.end();
        for await (const { nextOffset } of duplex.responses)
          this.#ledger.ackedRecords(stream, Number(nextOffset), count);
        return true;
      }, signal);
      await this.#line.pause(this.#dice.integer(20, 200));
    }
  }
}
