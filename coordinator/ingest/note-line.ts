/** The coordinator's own lines in the same log as the workers': quarantines and findings of cells, the audit log. */
import { asLeaseToken, type LeaseToken } from "../../src/core/ids.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import { boundLine } from "./bound-line.ts";

/** Whose lines these are, where a worker's id stands otherwise. */
export const COORDINATOR_ID = "coordinator";

export interface Note {
  /** COORDINATOR_ID when left out. */
  readonly owner?: string;
  /** 1 debug, 2 info, 3 warn, 4 error. */
  readonly level: number;
  /** Of no cell when left out. */
  readonly cellKey?: number;
  readonly token?: LeaseToken;
  readonly message: string;
  readonly fields?: Readonly<Record<string, string>>;
}

export function noteLine(hot: Hot, note: Note): void {
  const { owner = COORDINATOR_ID, level, cellKey = 0, token = asLeaseToken(0n), message, fields } = note;
  const key = {
    kind: "logs",
    cellKey: 0,
    token: asLeaseToken(0n),
    sessionId: `${COORDINATOR_ID}/${hot.epoch}`,
  } as const;
  // The stream is of this epoch, so that memory knows all of it.
  const stream = hot.streams.open(key, undefined);
  const firstOffset = hot.streams.extend(stream, 1);
  const fieldsJson = fields === undefined ? "" : JSON.stringify(fields);
  const text = boundLine({ timeMs: hot.clock.nowMs(), level, message, fieldsJson });
  const line = { ...text, seq: hot.streams.newLogSeq(), workerId: owner, cellKey, token };
  hot.writer.write({ kind: "logs-appended", stream: key, streamId: stream.streamId, firstOffset, lines: [line] });
  afterDurable(hot, () => {
    hot.streams.durable(stream);
    hot.logChanges.changed();
  });
}
