/** Does the store have, or will it have first, every record that an attempt has sent? */
import type { LeaseToken } from "../../src/core/ids.ts";
import type { Hot } from "../hot/hot.ts";
import type { StreamKey, StreamKind } from "../store/change.ts";
import { readStream } from "./read-stream.ts";

export interface SentCounts {
  readonly metricCount: number;
  readonly logCount: number;
}

/**
 * What is missing, in words; "" when nothing is. Appends that are written but not durable count: a result written after them
 * becomes durable with them or later.
 */
export async function missingRecords(
  hot: Hot,
  { cellKey, token }: { readonly cellKey: number; readonly token: LeaseToken },
  sent: SentCounts,
): Promise<string> {
  const have = (kind: StreamKind, count: number): number | Promise<number> => {
    if (count === 0) return 0;
    const key = { kind, cellKey, token, sessionId: "" } as const;
    return hot.streams.get(key)?.nextOffset ?? storedEnd(hot, key);
  };
  const [metricsHere, logsHere] = [have("metrics", sent.metricCount), have("logs", sent.logCount)];
  // Mostly both are in memory, and nothing is to be waited for.
  const metrics = typeof metricsHere === "number" ? metricsHere : await metricsHere;
  const logs = typeof logsHere === "number" ? logsHere : await logsHere;
  const missing: string[] = [];
  if (metrics < sent.metricCount) missing.push(`${metrics} of ${sent.metricCount} metric points are here`);
  if (logs < sent.logCount) missing.push(`${logs} of ${sent.logCount} log lines are here`);
  return missing.join(", ");
}

async function storedEnd(hot: Hot, key: StreamKey): Promise<number> {
  const stored = await readStream(hot, key);
  return hot.streams.get(key)?.nextOffset ?? stored?.nextOffset ?? 0;
}
