/** Every waiting time and size limit of a worker's session, with its reason. Times run on the injected clock. */

export interface SessionTimings {
  /** Between two syncs with nothing new to say, +-20 %; the coordinator may ask for another interval. */
  readonly heartbeatMs: number;
  /** How long an idle worker lets the coordinator hold its sync back. Below common proxies' idle limits. */
  readonly longPollMs: number;
  /** Between two long polls that came back empty early: a coordinator that does not hold back must not be flooded. */
  readonly pollGapMs: number;
  /** For a sync or a commit, beyond what the coordinator may hold it back. */
  readonly callTimeoutMs: number;
  /**
   * Work goes on without a word of the coordinator for this long. Far above a lease's ttl on purpose: what is computed is
   * salvaged when the cell is still open, and a coordinator that comes back revokes what is not.
   */
  readonly orphanAfterMs: number;
  /** From a request to stop until the process ends, whatever is still open. Below the usual 30 s of notice. */
  readonly drainBudgetMs: number;
  /** A trainer that does not stop a shard within this time is killed. Many steps long, well below a lease's ttl. */
  readonly abortGraceMs: number;
  /**
   * A trainer that does not write its checkpoints and stop within this time is killed: with what the store and the hand-back
   * take, a worker is gone 20 s after it was asked.
   */
  readonly cutGraceMs: number;
  /** What the store may take for the last checkpoints, before the cells are handed back all the same. */
  readonly keepLimitMs: number;
  /** Between two checkpoints of what runs. */
  readonly checkpointEveryMs: number;
  /** A trainer that says nothing within this time of its start has hung. Native libraries load for many seconds. */
  readonly openTimeoutMs: number;
  /** First wait before a dead trainer is started again; it doubles with every death in a row. */
  readonly trainerRestartMs: number;
  /** A batch waits for more records at most this long. */
  readonly batchDelayMs: number;
}

export const DEFAULT_TIMINGS: SessionTimings = {
  heartbeatMs: 5_000,
  longPollMs: 20_000,
  pollGapMs: 200,
  callTimeoutMs: 10_000,
  orphanAfterMs: 600_000,
  drainBudgetMs: 25_000,
  abortGraceMs: 10_000,
  cutGraceMs: 12_000,
  keepLimitMs: 5_000,
  checkpointEveryMs: 60_000,
  openTimeoutMs: 180_000,
  trainerRestartMs: 500,
  batchDelayMs: 250,
};

/** Heartbeats are spread over 1 +- this, so that workers do not march in step. */
export const HEARTBEAT_SPREAD = 0.2;

/** A batch is sent when it has this much on the wire, and holds no more than the second. */
export const BATCH_BYTES = 64 * 1024;
export const BATCH_MAX_BYTES = 256 * 1024;

/** Batches under way: enough to fill a slow link with small ones, few enough to repeat after a lost connection. */
export const BATCHES_IN_FLIGHT = 16;

/** Bytes of batches under way; the coordinator may ask for less. */
export const IN_FLIGHT_BYTES = 1024 * 1024;

/** Records in memory that are not acknowledged: above this they go to the disk. */
export const PARK_BYTES = 8 * 1024 * 1024;
/** The disk is slower than the trainer: above the first the trainer is paused, below the second it goes on. */
export const PAUSE_BYTES = 24 * 1024 * 1024;
export const RESUME_BYTES = 12 * 1024 * 1024;
/** The disk takes nothing: above this records are dropped, counted and marked. */
export const DROP_BYTES = 32 * 1024 * 1024;

/** On disk: ten minutes of 100,000 points a second take 720 MB. */
export const SPOOL_BYTES = 1024 * 1024 * 1024;
/** A file of it, whose space is given back at once. */
export const SPOOL_SEGMENT_BYTES = 32 * 1024 * 1024;

/** Acknowledged records of uncommitted attempts are kept up to this much, so that they can be sent again on request. */
export const KEEP_BYTES = 64 * 1024 * 1024;

/** How often a commit that is answered by "incomplete", or by an error that no repetition mends, is tried again. */
export const COMMIT_TRIES = 5;

/** Deaths of the trainer in a row, without a finished cell between them, after which the worker gives up. */
export const TRAINER_DEATHS = 5;
