/** Does the store have, or will it have first, every record that an attempt has sent? */
import type { LeaseToken } from "../../src/core/ids.ts";
import type { Hot } from "../hot/hot.ts";
import type { StreamKind } from "../store/change.ts";
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
  const have = async (kind: StreamKind, count: number): Promise<number> => {
    if (count === 0) return 0;
    const key = { kind, cellKey, token, sessionId: "" } as const;
    const stored = await readStream(hot, key);
    return hot.streams.get(key)?.nextOffset ?? stored?.nextOffset ?? 0;
  };
  const metrics = await have("metrics", sent.metricCount);
  const logs = await have("logs", sent.logCount);
  const missing: string[] = [];
  if (metrics < sent.metricCount) missing.push(`${metrics} of ${sent.metricCount} metric points are here`);
  if (logs < sent.logCount) missing.push(`${logs} of ${sent.logCount} log lines are here`);
  return missing.join(", ");
}
