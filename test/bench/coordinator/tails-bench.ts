/** Many operators that follow the logs of all workers, some of them slow, and what the coordinator feels of it. */
import { setMaxListeners } from "node:events";
import { LogLevel } from "../../../proto/gen/occam/v1/common.ts";
import { BulkServiceService, StreamKind } from "../../../proto/gen/occam/v1/bulk.ts";
import { OperatorServiceService, TailLogsRequest } from "../../../proto/gen/occam/v1/operator.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { openDuplex, readStream } from "../../../src/rpc/client-calls.ts";
import type { Connection } from "../../../src/rpc/client.ts";
import { against, type Measurement } from "../measurement.ts";
import { quantileOf, submit, sync, takeShard, timed } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";

/** Lines of one batch, and the time between two of a worker. */
const BATCH_LINES = 10;
const BATCH_GAP_MS = 250;
/** Every so many tails one takes a page a second. */
const SLOW_EVERY = 5;
const SLOW_PAUSE_MS = 1_000;
const isSlow = (index: number): boolean => (index + 1) % SLOW_EVERY === 0;
/** After the last line, for those that are behind. */
const CATCH_UP_MS = 30_000;

/** What a tail saw: numbers of lines by worker, in order, and how old each was. */
interface Seen {
  readonly lastOf: Map<string, number>;
  readonly agesMs: number[];
  lines: number;
  wrong: number;
}

export async function tailsRows(
  store: string,
  tails: number,
  workers: number,
  forMs: number,
): Promise<readonly Measurement[]> {
  const coordinator = await CoordinatorProcess.start(store);
  const operator = coordinator.connect();
  await submit(operator, sweepOfSize("tailed", 10_000));
  const connections = Array.from({ length: workers }, () => coordinator.connect());
  const grants = await Promise.all(connections.map((connection, index) => takeShard(connection, `w${index}`)));
  const over = new AbortController();
  const each = Array.from({ length: tails }, (): Seen => ({ lastOf: new Map(), agesMs: [], lines: 0, wrong: 0 }));
  setMaxListeners(tails, over.signal);
  const readers = each.map(() => coordinator.connect());
  const reading = each.map((seen, index) => follow(readers[index]!, seen, isSlow(index), over.signal));
  const [cpuMs, fromMs] = [coordinator.cpuMs(), systemClock.monotonicMs()];
  const isOver = (): boolean => systemClock.monotonicMs() - fromMs >= forMs;
  const beats: number[] = [];
  const beating = (async () => {
    while (!isOver()) {
      beats.push(await timed(() => sync(operator, "probe")));
      await systemClock.sleep(20);
    }
  })();
  const sent = await Promise.all(
    connections.map((connection, index) => {
      const { token, cells } = grants[index]!;
      return pushLines(connection, `w${index}`, { token, cellId: cells[0]!.cellId }, isOver);
    }),
  );
  await beating;
  const share = (coordinator.cpuMs() - cpuMs) / (systemClock.monotonicMs() - fromMs);
  const total = sent.reduce((sum, lines) => sum + lines, 0);
  const endMs = systemClock.monotonicMs() + CATCH_UP_MS;
  while (each.some(({ lines }) => lines < total) && systemClock.monotonicMs() < endMs) await systemClock.sleep(50);
  const memoryMb = coordinator.memoryMb("peak");
  over.abort();
  await Promise.all(reading);
  for (const connection of [operator, ...readers, ...connections]) connection.close();
  await coordinator.stop();
  const fast = each.filter((_, index) => !isSlow(index));
  const method = `${tails} tails of all workers, every ${SLOW_EVERY}th of which takes a page a second; ${workers} workers, ${Math.round((1000 * total) / forMs)} lines/s`;
  const missed = each.reduce((sum, { lines, wrong }) => sum + wrong + Math.abs(total - lines), 0);
  return [
    against(`lines that ${tails} tails missed, or saw twice or out of order`, "lines", missed, { floor: 0, stretch: null, most: true }, method), // prettier-ignore
    against("from a worker to a tail that keeps up, p99", "ms", quantileOf(fast.flatMap(({ agesMs }) => agesMs), 0.99), undefined, "clock of this process at both ends"), // prettier-ignore
    against("heartbeat p99 meanwhile", "ms", quantileOf(beats, 0.99), undefined, "a call every 20 ms"),
    against(`coordinator CPU, ${tails} tails`, "% of a core", 100 * share, undefined, method),
    against(`peak memory, ${tails} tails`, "MB", memoryMb, undefined, "VmHWM"),
  ];
}

async function follow({ operator }: Connection, seen: Seen, slow: boolean, signal: AbortSignal): Promise<void> {
  const request = TailLogsRequest.fromPartial({ sweep: "tailed", text: "line ", follow: true, pages: true });
  try {
    for await (const { lines } of readStream(operator, OperatorServiceService.tailLogs, request, { signal })) {
      const nowMs = Date.now();
      for (const { workerId, record } of lines) {
        const number = Number(record!.message.split(" ", 2)[1]);
        if (number !== (seen.lastOf.get(workerId) ?? -1) + 1) seen.wrong += 1;
        seen.lastOf.set(workerId, number);
        seen.agesMs.push(nowMs - Number(record!.timeMs));
      }
      seen.lines += lines.length;
      if (slow) await systemClock.sleep(SLOW_PAUSE_MS);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Lines that were sent and acknowledged. */
async function pushLines(
  connection: Connection,
  workerId: string,
  lease: { readonly token: bigint; readonly cellId: string },
  isOver: () => boolean,
): Promise<number> {
  const duplex = openDuplex(connection.bulk, BulkServiceService.push);
  const reading = (async () => {
    let acknowledged = 0;
    for await (const { nextOffset } of duplex.responses) acknowledged = Number(nextOffset);
    return acknowledged;
  })();
  let sent = 0;
  while (!isOver()) {
    const timeMs = BigInt(Date.now());
    const logs = Array.from({ length: BATCH_LINES }, (_, index) => ({
      timeMs,
      level: LogLevel.LOG_LEVEL_INFO,
      message: `line ${sent + index} of a worker that says what it does`,
      fieldsJson: "",
    }));
    await duplex.send({
      workerId,
      sessionId: `session-of-${workerId}`,
      ...lease,
      kind: StreamKind.STREAM_KIND_LOGS,
      firstOffset: BigInt(sent),
      metrics: undefined,
      logs,
    });
    sent += BATCH_LINES;
    await systemClock.sleep(BATCH_GAP_MS);
  }
  duplex.end();
  return reading;
}
