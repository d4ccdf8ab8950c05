/** How bad network and disk are. */

export interface Weather {
  /** Shares of calls. */
  readonly requestLost: number;
  readonly replyLost: number;
  readonly requestTwice: number;
  /** The call arrives, and its connection breaks before the answer. */
  readonly brokenInFlight: number;
  /** Share of the batches on a bulk stream with which the stream breaks. */
  readonly streamBreaks: number;
  readonly delayMaxMs: number;
  /** Share of messages that come much later. */
  readonly late: number;
  readonly lateMaxMs: number;
}

export const CALM: Weather = {
  requestLost: 0,
  replyLost: 0,
  requestTwice: 0,
  brokenInFlight: 0,
  streamBreaks: 0,
  delayMaxMs: 5,
  late: 0,
  lateMaxMs: 0,
};
export const ROUGH: Weather = {
  requestLost: 0.05,
  replyLost: 0.1,
  requestTwice: 0.1,
  brokenInFlight: 0.02,
  streamBreaks: 0.05,
  delayMaxMs: 200,
  late: 0.05,
  lateMaxMs: 40_000,
};
/** F5: a quarter of the requests, half of the replies, a tenth in flight. */
export const STORM: Weather = {
  requestLost: 0.25,
  replyLost: 0.5,
  requestTwice: 0.2,
  brokenInFlight: 0.1,
  streamBreaks: 0.2,
  delayMaxMs: 1_000,
  late: 0.1,
  lateMaxMs: 60_000,
};

export interface DiskWeather {
  /** Shares of transactions. */
  readonly writeFails: number;
  /** The error of the sync comes after the data have reached the disk all the same. */
  readonly syncFails: number;
  readonly crashBefore: number;
  /** The process ends between the write and the acknowledgement. */
  readonly crashAfter: number;
  /** Share of reads. */
  readonly readFails: number;
  /** A transaction, and its answer, may each take so long. */
  readonly slowMaxMs: number;
}

export const GOOD_DISK: DiskWeather = {
  writeFails: 0,
  syncFails: 0,
  crashBefore: 0,
  crashAfter: 0,
  readFails: 0,
  slowMaxMs: 0,
};
export const SLOW_DISK: DiskWeather = { ...GOOD_DISK, slowMaxMs: 400 };
export const FLAKY_DISK: DiskWeather = {
  writeFails: 0.003,
  syncFails: 0.003,
  crashBefore: 0.003,
  crashAfter: 0.006,
  readFails: 0.003,
  slowMaxMs: 60,
};
