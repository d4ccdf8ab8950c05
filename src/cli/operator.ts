/**
 * The operator's calls of a coordinator, for commands. One-shot calls fail at once; a watch and a log tail go on after a
 * lost connection, because a coordinator may restart under them.
 */
import {
  OperatorServiceService as Service,
  SweepState,
  type CancelSweepResponse,
  type CellState,
  type FindCachedResponse,
  type GetServerResponse,
  type ListCellsResponse,
  type ListSeriesResponse,
  type SubmitSweepRequest,
  type SubmitSweepResponse,
  type Sweep,
  type TailLogsRequest,
  type TailLogsResponse,
  type WatchSweepResponse,
  type Worker,
} from "../../proto/gen/occam/v1/operator.ts";
import { backoffMs, RECONNECT } from "../core/backoff.ts";
import type { Clock } from "../core/clock.ts";
import { invariant, OccamError, RETRYABLE } from "../core/errors.ts";
import { rootKey } from "../core/random.ts";
import { callUnary, readStream, type CallSettings, type Method } from "../rpc/client-calls.ts";
import { connect } from "../rpc/client.ts";
import { LeaderConnection } from "../rpc/leader-connection.ts";
import type { Target } from "./connection.ts";

export interface FollowOptions {
  readonly signal?: AbortSignal;
  /** Try again even before the first answer: a coordinator is known to be coming. */
  readonly patient?: boolean;
  /** Told of each lost connection, before the next try. */
  readonly onLost?: (error: OccamError) => void;
}

export interface Operator {
  readonly address: string;
  server(): Promise<GetServerResponse>;
  submit(request: SubmitSweepRequest, traceparent?: string): Promise<SubmitSweepResponse>;
  sweep(sweep: string): Promise<Sweep>;
  sweeps(deadlineMs?: number): Promise<readonly Sweep[]>;
  cancel(sweep: string): Promise<CancelSweepResponse>;
  workers(): Promise<readonly Worker[]>;
  cached(cellIds: readonly string[]): Promise<FindCachedResponse>;
  cells(sweep: string, states?: readonly CellState[], cellId?: string): AsyncIterable<ListCellsResponse>;
  series(sweep: string): AsyncIterable<ListSeriesResponse>;
  /** Snapshots until the sweep has ended. */
  watch(sweep: string, minIntervalMs: number, follow?: FollowOptions): AsyncIterable<WatchSweepResponse>;
  logs(request: TailLogsRequest, follow?: FollowOptions): AsyncIterable<TailLogsResponse>;
  close(): void;
}

/** A submission is answered when its whole grid is stored: minutes for a million cells. */
const SUBMIT_DEADLINE_MS = 600_000;

export function openOperator(target: Target, clock: Clock): Operator {
  const { token, tls, allowPlaintext } = target;
  const leader = new LeaderConnection(target.address, (address) =>
    connect({ address, token, tls, allowPlaintext, clock }),
  );
  const unary = <Q, R>(method: Method<Q, R>, request: Q, settings: CallSettings = {}): Promise<R> =>
    leader.call(({ operator }) => callUnary(operator, method, request, settings));
  const stream = <Q, R>(method: Method<Q, R>, request: Q, settings: CallSettings = {}): AsyncGenerator<R> =>
    leader.stream(({ operator }) => readStream(operator, method, request, settings));
  return {
    get address() {
      return leader.address;
    },
    server: () => unary(Service.getServer, {}),
    submit: (request, traceparent = "") =>
      unary(Service.submitSweep, request, { deadlineMs: SUBMIT_DEADLINE_MS, traceparent }),
    sweep: async (sweep) => required((await unary(Service.getSweep, { sweep })).sweep),
    sweeps: async (deadlineMs) =>
      (await unary(Service.listSweeps, {}, deadlineMs === undefined ? {} : { deadlineMs })).sweeps,
    cancel: (sweep) => unary(Service.cancelSweep, { sweep }),
    workers: async () => (await unary(Service.listWorkers, {})).workers,
    cached: (cellIds) => unary(Service.findCached, { cellIds }),
    cells: (sweep, states = [], cellId = "") => stream(Service.listCells, { sweep, states, cellId }),
    series: (sweep) => stream(Service.listSeries, { sweep, cellId: "", namePrefix: "" }),
    watch: (sweep, minIntervalMs, follow = {}) =>
      toTheEnd(() =>
        resumed(clock, follow, (settings) => stream(Service.watchSweep, { sweep, minIntervalMs }, settings)),
      ),
    logs: (request, follow = {}) =>
      tail(clock, request, follow, (now, settings) => stream(Service.tailLogs, now, settings)),
    close: () => leader.close(),
  };
}

export function required<T>(value: T | undefined): T {
  invariant(value, "the coordinator's answer lacks its message");
  return value;
}

/** Opens a watch again that a coordinator's orderly stop ended: only the sweep's own end ends it. */
async function* toTheEnd(open: () => AsyncGenerator<WatchSweepResponse>): AsyncGenerator<WatchSweepResponse> {
  for (;;) {
    let last: WatchSweepResponse | undefined;
    for await (const response of open()) {
      last = response;
      yield response;
    }
    if (last?.sweep?.state !== SweepState.SWEEP_STATE_RUNNING) return;
  }
}

interface SignalOnly {
  readonly signal?: AbortSignal;
}

/** Repeats a stream that breaks off by a retryable error, from its start, once it has been seen to work. */
async function* resumed<R>(
  clock: Clock,
  { signal, onLost, patient }: FollowOptions,
  open: (settings: SignalOnly) => AsyncIterable<R>,
): AsyncGenerator<R> {
  const key = rootKey(`cli/reconnect/${process.pid}`);
  let worked = patient === true;
  for (let attempt = 0; ; attempt += 1) {
    try {
      for await (const message of open(signal === undefined ? {} : { signal })) {
        worked = true;
        attempt = 0;
        yield message;
      }
      return;
    } catch (error) {
      if (signal?.aborted === true) return;
      if (!worked || !(error instanceof OccamError) || !RETRYABLE[error.code]) throw error;
      onLost?.(error);
      await clock.sleep(backoffMs(key, attempt, RECONNECT), signal);
    }
  }
}

/** A log tail that goes on behind the last line that it gave. */
async function* tail(
  clock: Clock,
  request: TailLogsRequest,
  follow: FollowOptions,
  open: (request: TailLogsRequest, settings: SignalOnly) => AsyncIterable<TailLogsResponse>,
): AsyncGenerator<TailLogsResponse> {
  let resumeToken = request.resumeToken;
  const again = (settings: SignalOnly) =>
    // `last` counts from the end, so it holds for the first try only.
    open(resumeToken === "" ? request : { ...request, resumeToken, last: 0 }, settings);
  for await (const line of resumed(clock, follow, again)) {
    resumeToken = line.resumeToken;
    yield line;
  }
}
