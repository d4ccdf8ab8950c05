/**
 * The operator's calls of a coordinator, for commands. One-shot calls fail at once; a watch and a log tail go on after a
 * lost connection, because a coordinator may restart under them.
 */
import {
  OperatorServiceService as Service,
  SweepState,
  type CancelSweepResponse,
  type CellState,
  type ChangeSweepRequest,
  type ExplainCellResponse,
  type FindCachedResponse,
  type GetServerResponse,
  type ListCellsResponse,
  type ListSeriesResponse,
  type RerunSweepResponse,
  type RerunWhat,
  SubmitSweepRequest,
  type SubmitSweepResponse,
  type Sweep,
  type TailLogsRequest,
  type TailLogsResponse,
  type WatchSweepResponse,
  type Worker,
} from "../../proto/gen/occam/v1/operator.ts";
import type { Clock } from "../core/clock.ts";
import { invariant } from "../core/errors.ts";
import { callUnary, readStream, type CallSettings, type Method } from "../rpc/client-calls.ts";
import { connect } from "../rpc/client.ts";
import { LeaderConnection } from "../rpc/leader-connection.ts";
import type { Target } from "./connection.ts";
import { followed, tail, type FollowOptions, type SignalOnly, type TailOptions } from "./follow.ts";

/** What is left out is as if nobody had asked for it. */
export type Submission = Partial<SubmitSweepRequest> & Pick<SubmitSweepRequest, "specText" | "fileName">;

export interface Operator {
  readonly address: string;
  server(): Promise<GetServerResponse>;
  submit(request: Submission, traceparent?: string): Promise<SubmitSweepResponse>;
  sweep(sweep: string): Promise<Sweep>;
  sweeps(deadlineMs?: number): Promise<readonly Sweep[]>;
  cancel(sweep: string): Promise<CancelSweepResponse>;
  pause(sweep: string, reason: string): Promise<Sweep>;
  resume(sweep: string): Promise<Sweep>;
  rerun(sweep: string, what: RerunWhat): Promise<RerunSweepResponse>;
  change(request: ChangeSweepRequest): Promise<Sweep>;
  /** Undefined: it was not heard of for long. */
  resetWorker(workerId: string): Promise<Worker | undefined>;
  /** @param sweep "": the newest that has the cell */
  explain(cellId: string, sweep: string): Promise<ExplainCellResponse>;
  workers(): Promise<readonly Worker[]>;
  cached(cellIds: readonly string[]): Promise<FindCachedResponse>;
  /** @param logLines so many of the last log lines of each quarantined cell */
  cells(sweep: string, states?: readonly CellState[], logLines?: number): AsyncIterable<ListCellsResponse>;
  series(sweep: string): AsyncIterable<ListSeriesResponse>;
  /** Snapshots until the sweep has ended. */
  watch(sweep: string, minIntervalMs: number, follow?: FollowOptions): AsyncIterable<WatchSweepResponse>;
  logs(request: Omit<TailLogsRequest, "pages">, follow?: TailOptions): AsyncIterable<TailLogsResponse>;
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
      unary(Service.submitSweep, SubmitSweepRequest.fromPartial(request), {
        deadlineMs: SUBMIT_DEADLINE_MS,
        traceparent,
      }),
    sweep: async (sweep) => required((await unary(Service.getSweep, { sweep })).sweep),
    sweeps: async (deadlineMs) =>
      (await unary(Service.listSweeps, {}, deadlineMs === undefined ? {} : { deadlineMs })).sweeps,
    cancel: (sweep) => unary(Service.cancelSweep, { sweep }),
    pause: async (sweep, reason) => required((await unary(Service.pauseSweep, { sweep, reason })).sweep),
    resume: async (sweep) =>
      required((await unary(Service.resumeSweep, { sweep }, { deadlineMs: SUBMIT_DEADLINE_MS })).sweep),
    rerun: (sweep, what) => unary(Service.rerunSweep, { sweep, what }, { deadlineMs: SUBMIT_DEADLINE_MS }),
    change: async (request) => required((await unary(Service.changeSweep, request)).sweep),
    resetWorker: async (workerId) => (await unary(Service.resetWorker, { workerId })).worker,
    explain: (cellId, sweep) => unary(Service.explainCell, { cellId, sweep }),
    workers: async () => (await unary(Service.listWorkers, {})).workers,
    cached: (cellIds) => unary(Service.findCached, { cellIds }),
    cells: (sweep, states = [], logLines = 0) => stream(Service.listCells, { sweep, states, cellId: "", logLines }),
    series: (sweep) => stream(Service.listSeries, { sweep, cellId: "", namePrefix: "" }),
    watch: (sweep, minIntervalMs, follow = {}) =>
      watched(clock, follow, (settings) => stream(Service.watchSweep, { sweep, minIntervalMs }, settings)),
    logs: (request, follow = {}) =>
      tail(clock, request, follow, (now, settings) => stream(Service.tailLogs, now, settings)),
    close: () => leader.close(),
  };
}

export function required<T>(value: T | undefined): T {
  invariant(value, "the coordinator's answer lacks its message");
  return value;
}

/** Only the sweep's own end ends a watch. */
async function* watched(
  clock: Clock,
  follow: FollowOptions,
  open: (settings: SignalOnly) => AsyncIterable<WatchSweepResponse>,
): AsyncGenerator<WatchSweepResponse> {
  let last: WatchSweepResponse | undefined;
  const isOver = (): boolean => last !== undefined && last.sweep?.state !== SweepState.SWEEP_STATE_RUNNING;
  for await (const response of followed(clock, follow, open, isOver)) {
    last = response;
    yield response;
  }
}
