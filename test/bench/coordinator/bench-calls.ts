/** The calls of the simulated operators and workers of a benchmark, over real gRPC. */
import {
  CommitOutcome,
  ControlServiceService,
  LeasePhase,
  type CommitRequest,
  type Grant,
  type SyncResponse,
} from "../../../proto/gen/occam/v1/control.ts";
import { LIMITS } from "../../../coordinator/limits.ts";
import {
  OperatorServiceService,
  SubmitSweepRequest,
  SweepState,
  type Sweep,
} from "../../../proto/gen/occam/v1/operator.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { NUMERICS_VERSION, PACKAGE_VERSION, PROTOCOL_VERSION } from "../../../src/core/version.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import type { Connection } from "../../../src/rpc/client.ts";
import { resultDigest } from "../../../src/result/cell-result.ts";
import { resultToJson } from "../../../src/wire/cell-outcome.ts";
import { wholeResult } from "../../support/whole-result.ts";

const SUBMIT_LIMIT_MS = 600_000;
const POLL_MS = 50;

export async function submit({ operator }: Connection, specText: string): Promise<Sweep> {
  const request = SubmitSweepRequest.fromPartial({ specText, fileName: "bench.yaml", maxCells: LIMITS.sweepCells });
  const settings = { deadlineMs: SUBMIT_LIMIT_MS };
  return (await callUnary(operator, OperatorServiceService.submitSweep, request, settings)).sweep!;
}

/** A call that asks for nothing: what a call costs by itself. */
export const emptyCall = ({ operator }: Connection): Promise<unknown> =>
  callUnary(operator, OperatorServiceService.getServer, {}, { deadlineMs: SUBMIT_LIMIT_MS });

export async function cancel({ operator }: Connection, sweep: string): Promise<Sweep> {
  const settings = { deadlineMs: SUBMIT_LIMIT_MS };
  return (await callUnary(operator, OperatorServiceService.cancelSweep, { sweep }, settings)).sweep!;
}

export async function resume({ operator }: Connection, sweep: string): Promise<void> {
  const settings = { deadlineMs: SUBMIT_LIMIT_MS };
  await callUnary(operator, OperatorServiceService.resumeSweep, { sweep }, settings);
}

export async function sweepOf({ operator }: Connection, sweep: string): Promise<Sweep> {
  const settings = { deadlineMs: SUBMIT_LIMIT_MS };
  return (await callUnary(operator, OperatorServiceService.getSweep, { sweep }, settings)).sweep!;
}

/** Until the sweep is as it should be. */
export async function untilSweep(
  connection: Connection,
  sweep: string,
  holds: (sweep: Sweep) => boolean,
): Promise<Sweep> {
  for (;;) {
    const found = await sweepOf(connection, sweep);
    if (holds(found)) return found;
    if (found.state !== SweepState.SWEEP_STATE_RUNNING) throw new Error(`sweep ${sweep} has ended too early`);
    await systemClock.sleep(POLL_MS);
  }
}

/** Milliseconds that one call took. */
export async function timed(call: () => Promise<unknown>): Promise<number> {
  const fromMs = systemClock.monotonicMs();
  await call();
  return systemClock.monotonicMs() - fromMs;
}

export interface Held {
  readonly token: bigint;
  readonly phase: LeasePhase;
}

export interface SyncSaid {
  readonly held?: readonly Held[];
  readonly freeSlots?: number;
  readonly waitMs?: number;
  readonly maxFuseWidth?: number;
}

/** One sync of a worker. */
export function sync(connection: Connection, workerId: string, said: SyncSaid = {}): Promise<SyncResponse> {
  const { held = [], freeSlots = 0, waitMs = 0, maxFuseWidth = 256 } = said;
  const request = {
    protocolVersion: PROTOCOL_VERSION,
    oldestProtocolVersion: PROTOCOL_VERSION,
    workerId,
    sessionId: `session-of-${workerId}`,
    capabilities: {
      backend: "wasm",
      maxFuseWidth,
      memoryBytes: 0n,
      host: "bench",
      pid: 1,
      packageVersion: PACKAGE_VERSION,
      numericsVersion: NUMERICS_VERSION,
      labels: {},
    },
    freeSlots,
    held: held.map(({ token, phase }) => ({ token, phase, step: 1n, steps: 2n })),
    draining: false,
    waitMs,
    heardReply: 0n,
  };
  return callUnary(connection.control, ControlServiceService.sync, request, { deadlineMs: waitMs + 60_000 });
}

/** A shard for this worker, asked for until there is one and told to be running; undefined: `over` said so. */
export async function takeShard(
  connection: Connection,
  workerId: string,
  over: () => boolean = () => false,
  maxFuseWidth?: number,
): Promise<Grant | undefined> {
  const width = maxFuseWidth === undefined ? {} : { maxFuseWidth };
  while (!over()) {
    const { grants } = await sync(connection, workerId, { freeSlots: 1, waitMs: 1_000, ...width });
    const [grant] = grants;
    if (grant === undefined) continue;
    await sync(connection, workerId, { held: [{ token: grant.token, phase: LeasePhase.LEASE_PHASE_TRAIN }] });
    return grant;
  }
  return undefined;
}

/** Ends cells with results that nothing was computed for; one or several in a call. */
export async function commit(
  connection: Connection,
  workerId: string,
  token: bigint,
  cellIds: readonly string[],
): Promise<void> {
  const commits = cellIds.map((cellId): CommitRequest => {
    const value = { ...noOpResult(), metricCount: 0n, logCount: 0n };
    return { workerId, sessionId: `session-of-${workerId}`, cellId, token, outcome: { $case: "result", value } };
  });
  const { control } = connection;
  const responses =
    commits.length === 1
      ? [await callUnary(control, ControlServiceService.commit, commits[0]!, COMMIT_SETTINGS)]
      : (await callUnary(control, ControlServiceService.commitAll, { commits }, COMMIT_SETTINGS)).responses;
  for (const { outcome } of responses) {
    if (outcome !== CommitOutcome.COMMIT_OUTCOME_COMMITTED) throw new Error(`a commit was answered with ${outcome}`);
  }
}

const COMMIT_SETTINGS = { deadlineMs: 60_000 };

/** Different from call to call, as results are. */
function noOpResult(): { readonly json: string; readonly digest: string } {
  results += 1;
  const result = wholeResult({ trainLoss: results / 1024 });
  return { json: resultToJson(result), digest: resultDigest(result) };
}

let results = 0;

/** The value below which this share of the readings is. */
export function quantileOf(readings: readonly number[], share: number): number {
  const sorted = [...readings].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
