/** The coordinator's own lines about cells, in the same log as the workers': quarantines and findings. */
import { asLeaseToken, type LeaseToken } from "../../src/core/ids.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";

/** Whose lines these are, where a worker's id stands otherwise. */
export const COORDINATOR_ID = "coordinator";

export interface Note {
  /** 1 debug, 2 info, 3 warn, 4 error. */
  readonly level: number;
  readonly cellKey: number;
  readonly token: LeaseToken;
  readonly message: string;
}

export function noteLine(hot: Hot, note: Note): void {
  const key = {
    kind: "logs",
    cellKey: 0,
    token: asLeaseToken(0n),
    sessionId: `${COORDINATOR_ID}/${hot.epoch}`,
  } as const;
  // The stream is of this epoch, so that memory knows all of it.
  const stream = hot.streams.open(key, undefined);
  const firstOffset = hot.streams.extend(stream, 1);
  const line = {
    seq: hot.streams.newLogSeq(),
    workerId: COORDINATOR_ID,
    ...note,
    timeMs: hot.clock.nowMs(),
    fieldsJson: "",
  };
  hot.writer.write({ kind: "logs-appended", stream: key, streamId: stream.streamId, firstOffset, lines: [line] });
  afterDurable(hot, () => {
    hot.streams.durable(stream);
    hot.logChanges.changed();
  });
}
