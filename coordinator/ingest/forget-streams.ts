/** The streams of an ended attempt may leave memory. */
import type { LeaseToken } from "../../src/core/ids.ts";
import type { Hot } from "../hot/hot.ts";

export function forgetStreams(hot: Pick<Hot, "streams">, cellKey: number, token: LeaseToken): void {
  hot.streams.forget({ kind: "metrics", cellKey, token, sessionId: "" });
  hot.streams.forget({ kind: "logs", cellKey, token, sessionId: "" });
}
