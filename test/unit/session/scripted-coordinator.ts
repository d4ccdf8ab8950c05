/**
 * A small coordinator behind a real gRPC server: grants what a test queues, stores streams and commits in memory, and
 * misbehaves on request. It keeps its memory over `restart`, as a real one keeps its store.
 */
import { NO_ESTIMATE } from "../../../src/spec/estimate-section.ts";
import { BulkServiceService, type PushRequest, type PushResponse } from "../../../proto/gen/occam/v1/bulk.ts";
import type { LogRecord } from "../../../proto/gen/occam/v1/common.ts";
import {
  CommitOutcome,
  CommitResponse,
  ControlServiceService,
  SyncResponse,
  type CommitRequest,
  type Grant,
  type Revocation,
  type SyncRequest,
} from "../../../proto/gen/occam/v1/control.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { asFuseKey, asLeaseToken } from "../../../src/core/ids.ts";
import { createLogger } from "../../../src/core/log.ts";
import { bidiStreaming, unary } from "../../../src/rpc/adapters.ts";
import { oneToken } from "../../../src/rpc/tokens.ts";
import { serve, type RunningServer } from "../../../src/rpc/server.ts";
import { cellOf, type CellConfig } from "../../../src/spec/cell.ts";
import { grantToWire } from "../../../src/wire/cell-grant.ts";

export const TOKEN = "the coordinator's token";

export function cellWithSeed(seed: number) {
  const config: CellConfig = {
    data: { kind: "moons", train: 8 },
    architecture: { kind: "mlp", width: 2 },
    optimizer: { kind: "sgd", learningRate: 0.1 },
    regulariser: { kind: "none" },
    seed: String(seed),
    train: { steps: 10, batch: 8, schedule: "constant", evalEvery: 5, stopTrainLoss: null },
    estimate: NO_ESTIMATE,
  };
  return cellOf(config);
}

interface Waiter {
  readonly wake: () => void;
}

export class ScriptedCoordinator {
  readonly syncs: SyncRequest[] = [];
  readonly commits: CommitRequest[] = [];
  /** Records by "token/cell/kind". */
  readonly streams = new Map<string, unknown[]>();
  epoch = 1n;
  fenced = false;
  drain = false;
  /** So many of the next commits are noted, but their reply is lost. */
  loseCommitReplies = 0;
  /** So many of the next pushed batches are stored, but the call breaks before the answer. */
  breakPushes = 0;
  #server: RunningServer | undefined;
  #grants: Grant[] = [];
  #revocations: Revocation[] = [];
  #waiters: Waiter[] = [];
  #nextToken = 1n;

  get address(): string {
    return this.#server!.address;
  }

  async start(port = 0): Promise<void> {
    this.#server = await serve({
      host: "127.0.0.1",
      port,
      tokens: oneToken(TOKEN),
      logger: createLogger({ component: "test", level: "error" }),
      services: [
        {
          definition: ControlServiceService,
          implementation: {
            sync: unary<SyncRequest, SyncResponse>((request, { signal }) => this.#sync(request, signal)),
            commit: unary<CommitRequest, CommitResponse>((request) => this.#commit(request)),
          },
        },
        {
          definition: BulkServiceService,
          implementation: {
            push: bidiStreaming<PushRequest, PushResponse>(async (requests, send) => {
              for await (const request of requests) await send(this.#push(request));
            }),
          },
        },
      ],
    });
  }

  async stop(): Promise<void> {
    await this.#server?.shutdown(0);
  }

  /** The same coordinator on the same port, after `awayMs`. */
  async restart(awayMs: number): Promise<void> {
    const { port } = this.#server!;
    await this.stop();
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    this.epoch += 1n;
    await this.start(port);
  }

  /** Queues one lease of cells with these seeds; returns its token. */
  grant(...seeds: readonly number[]): bigint {
    const token = this.#nextToken++;
    const cells = seeds.map((seed) => ({ cell: cellWithSeed(seed), attempt: 1 }));
    this.#grants.push(
      grantToWire({
        token: asLeaseToken(token),
        ttlMs: 30_000,
        fuseKey: asFuseKey("0123456789abcdef"),
        cells,
        traceparent: "",
      }),
    );
    this.wake();
    return token;
  }

  /** A grant as it stands, readable or not. */
  grantRaw(grant: Grant): void {
    this.#grants.push(grant);
    this.wake();
  }

  revoke(token: bigint, ...cellIds: readonly string[]): void {
    this.#revocations.push({ token, cellIds, reason: "the sweep was cancelled" });
    this.wake();
  }

  wake(): void {
    for (const { wake } of this.#waiters.splice(0)) wake();
  }

  stream(token: bigint, seed: number, kind: 1 | 2): readonly unknown[] {
    return this.streams.get(`${token}/${cellWithSeed(seed).id}/${kind}`) ?? [];
  }

  ownLog(): readonly LogRecord[] {
    return (this.streams.get("0//2") ?? []) as LogRecord[];
  }

  /** The outcomes that were committed of a cell, in order: "result", "failure:3", "handback". */
  outcomes(seed: number): readonly string[] {
    const { id } = cellWithSeed(seed);
    return this.commits
      .filter(({ cellId }) => cellId === id)
      .map(({ outcome }) =>
        outcome?.$case === "failure" ? `failure:${outcome.value.kind}` : (outcome?.$case ?? "nothing"),
      );
  }

  async #sync(request: SyncRequest, signal: AbortSignal): Promise<SyncResponse> {
    this.syncs.push(request);
    const held = new Set(request.held.map(({ token }) => token));
    this.#grants = this.#grants.filter(({ token }) => !held.has(token));
    const now = (): readonly Grant[] => (request.freeSlots > 0 && !request.draining ? this.#grants.slice(0, 1) : []);
    if (request.waitMs > 0 && now().length === 0 && this.#revocations.length === 0 && !this.fenced && !this.drain) {
      await new Promise<void>((resolve) => {
        this.#waiters.push({ wake: resolve });
        signal.addEventListener("abort", () => resolve());
        setTimeout(resolve, request.waitMs);
      });
    }
    const revocations = this.#revocations.splice(0);
    return SyncResponse.fromPartial({
      coordinatorEpoch: this.epoch,
      grants: now() as Grant[],
      renewals: request.held.map(({ token }) => ({ token, ttlMs: 30_000 })),
      revocations,
      nextSyncMs: 200,
      drain: this.drain,
      fenced: this.fenced,
    } as never);
  }

  async #commit(request: CommitRequest): Promise<CommitResponse> {
    const repeated = this.commits.some(
      ({ cellId, token, outcome }) =>
        cellId === request.cellId && token === request.token && outcome?.$case === request.outcome?.$case,
    );
    if (!repeated) {
      const missing = this.#missing(request);
      if (missing !== "") return { outcome: CommitOutcome.COMMIT_OUTCOME_INCOMPLETE, detail: missing };
      this.commits.push(request);
    }
    if (this.loseCommitReplies > 0) {
      this.loseCommitReplies -= 1;
      throw new OccamError("unavailable", "the reply was lost");
    }
    const { COMMIT_OUTCOME_COMMITTED, COMMIT_OUTCOME_DUPLICATE_SAME, COMMIT_OUTCOME_NOTED } = CommitOutcome;
    const first = request.outcome?.$case === "result" ? COMMIT_OUTCOME_COMMITTED : COMMIT_OUTCOME_NOTED;
    return CommitResponse.fromPartial({ outcome: repeated ? COMMIT_OUTCOME_DUPLICATE_SAME : first });
  }

  #missing({ token, cellId, outcome }: CommitRequest): string {
    if (outcome?.$case !== "result") return "";
    const have = (kind: 1 | 2): bigint => BigInt(this.streams.get(`${token}/${cellId}/${kind}`)?.length ?? 0);
    const { metricCount, logCount } = outcome.value;
    return have(1) >= metricCount && have(2) >= logCount ? "" : `${have(1)} of ${metricCount} points`;
  }

  #push(request: PushRequest): PushResponse {
    const { token, cellId, kind } = request;
    const key = `${token}/${cellId}/${kind}`;
    const stored = this.streams.get(key) ?? [];
    this.streams.set(key, stored);
    const first = Number(request.firstOffset);
    const records: readonly unknown[] = kind === 1 ? (request.metrics?.value ?? []) : request.logs;
    if (first <= stored.length) stored.push(...records.slice(stored.length - first));
    if (this.breakPushes > 0) {
      this.breakPushes -= 1;
      throw new OccamError("unavailable", "the call breaks");
    }
    return { token, cellId, kind, nextOffset: BigInt(stored.length), fenced: false, windowBytes: 0, refused: "" };
  }
}
