/**
 * Every waiting time of the coordinator. All run on the injected clock's monotonic time; every one can be set at start.
 */

export interface Timings {
  /** Between two syncs of a worker that has nothing new to say; workers add +-20 %. */
  readonly heartbeatMs: number;
  /** A lease that was not listed for this long is over. Six heartbeats: five may be lost. */
  readonly leaseTtlMs: number;
  /** A grant that its worker does not list within this time is taken back. */
  readonly acceptMs: number;
  /** After a start, leases of the run before wait this long for their worker. One ttl: a worker gives up after that. */
  readonly readoptionMs: number;
  /** A sync that waits for work is answered after this long at the latest; below common proxies' 30-60 s idle limits. */
  readonly longPollMaxMs: number;
  /** A lease that is listed and makes no step for so long, or for 20 of its median steps where that is longer, is stuck. */
  readonly stallMs: number;
  /**
   * So long before the first step of its training or its estimate: data are loaded and programs compiled then, and how long a step
   * takes is not known. Half an hour of a worker is the price of a wedge there; below it a slow first step was lost three times over.
   */
  readonly firstStepMs: number;
  /** The longest wait of a failed cell before its second try; doubled for each further one ... */
  readonly retryMs: number;
  /** ... up to this. */
  readonly retryMaxMs: number;
  /** How long a worker that failed cell after cell gets none; doubled each time that it fails on probation ... */
  readonly brokenMs: number;
  /** ... up to this. */
  readonly brokenMaxMs: number;
  /** Between two looks at the deadlines of leases. */
  readonly tickMs: number;
  /** How long after a transaction the writes of many callers are gathered into the next. It costs about as much itself. */
  readonly gatherMs: number;
  /** A worker that was not heard of for this long is no longer listed. */
  readonly workerForgetMs: number;
  /** The least time between two messages of a watch, whatever its caller asks for. */
  readonly watchMinIntervalMs: number;
  /** A tail that has caught up looks for new lines this often at the most, and one that has not gives way for so long under load. */
  readonly tailMinIntervalMs: number;
  /** After a start, shards are cut for the workers that were announced, until so many have come. Loading takes one a second or two. */
  readonly expectMs: number;
  /**
   * A leader that gave no sign of life for this long is followed by another coordinator. Well below the ttl of a worker's lease,
   * so that no lease is lost by it.
   */
  readonly leadTtlMs: number;
  /** Between two signs of life. Four in a lease: three may be lost. */
  readonly leadRenewMs: number;
  /** Between two looks of a standby at the leader. */
  readonly leadPollMs: number;
  /**
   * A connection to PostgreSQL whose statement has brought no answer for this long is taken for cut: after the silent end of a
   * machine or of a network nothing else says so for a quarter of an hour. Longer than any statement of a coordinator takes.
   */
  readonly storeSilenceMs: number;
  /** How long running calls may take to end when the coordinator stops. */
  readonly stopGraceMs: number;
}

export const DEFAULT_TIMINGS: Timings = {
  heartbeatMs: 5_000,
  leaseTtlMs: 30_000,
  acceptMs: 10_000,
  readoptionMs: 30_000,
  longPollMaxMs: 25_000,
  stallMs: 300_000,
  firstStepMs: 1_800_000,
  retryMs: 5_000,
  retryMaxMs: 300_000,
  brokenMs: 600_000,
  brokenMaxMs: 3_600_000,
  tickMs: 1_000,
  gatherMs: 2,
  workerForgetMs: 600_000,
  watchMinIntervalMs: 100,
  tailMinIntervalMs: 100,
  expectMs: 15_000,
  leadTtlMs: 10_000,
  leadRenewMs: 2_500,
  leadPollMs: 1_000,
  storeSilenceMs: 30_000,
  stopGraceMs: 1_000,
};

/** The defaults with some of them replaced. */
export function timingsOf(given: Partial<Timings> = {}): Timings {
  return Object.freeze({ ...DEFAULT_TIMINGS, ...given });
}
