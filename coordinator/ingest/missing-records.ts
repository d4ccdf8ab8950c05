/** Does the store have, or will it have first, every record that an attempt has sent? */
import type { LeaseToken } from "../../src/core/ids.ts";
import type { Hot } from "../hot/hot.ts";
import type { StreamKey } from "../store/change.ts";
import { readStream } from "./read-stream.ts";

export interface SentCounts {
  readonly metricCount: number;
  readonly logCount: number;
}

/**
 * What is missing, in words; "" when nothing is. Appends that are written but not durable count: a result written after them
 * becomes durable with them or later.
 */
export function missingRecords(
  hot: Hot,
  cellKey: number,
  token: LeaseToken,
  sent: SentCounts,
): string | Promise<string> {
  const metrics = recordsHere(hot, { kind: "metrics", cellKey, token, sessionId: "" }, sent.metricCount);
  const logs = recordsHere(hot, { kind: "logs", cellKey, token, sessionId: "" }, sent.logCount);
  // Mostly both are in memory, and nothing is to be waited for.
  if (typeof metrics === "number" && typeof logs === "number") return inWords(metrics, logs, sent);
  return whenRead(metrics, logs, sent);
}

async function whenRead(
  metrics: number | Promise<number>,
  logs: number | Promise<number>,
  sent: SentCounts,
): Promise<string> {
  return inWords(await metrics, await logs, sent);
}

function recordsHere(hot: Hot, stream: StreamKey, sent: number): number | Promise<number> {
  return sent === 0 ? 0 : (hot.streams.get(stream)?.nextOffset ?? storedEnd(hot, stream));
}

function inWords(metrics: number, logs: number, sent: SentCounts): string {
  if (metrics >= sent.metricCount && logs >= sent.logCount) return "";
  const missing: string[] = [];
  if (metrics < sent.metricCount) missing.push(`${metrics} of ${sent.metricCount} metric points are here`);
  if (logs < sent.logCount) missing.push(`${logs} of ${sent.logCount} log lines are here`);
  return missing.join(", ");
}

async function storedEnd(hot: Hot, key: StreamKey): Promise<number> {
  const stored = await readStream(hot, key);
  return hot.streams.get(key)?.nextOffset ?? stored?.nextOffset ?? 0;
}
