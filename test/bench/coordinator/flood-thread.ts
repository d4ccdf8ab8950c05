/** The thread that floods a coordinator with metrics, and says how many points were acknowledged. */
import { parentPort, workerData } from "node:worker_threads";
import { BulkServiceService, StreamKind, type PushRequest } from "../../../proto/gen/occam/v1/bulk.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { openDuplex } from "../../../src/rpc/client-calls.ts";
import { connect } from "../../../src/rpc/client.ts";
import { takeShard } from "./bench-calls.ts";
import { TOKEN } from "./coordinator-process.ts";

/** Points of one batch: what a worker of ours sends at the most. */
export const BATCH_POINTS = 4_096;
/** Batches of one stream under way, as a worker has. */
export const IN_FLIGHT = 16;

/** What the thread is given. */
export interface Flood {
  readonly address: string;
  readonly streams: number;
  readonly forMs: number;
}

/** Points that were acknowledged. */
async function flood(address: string, workerId: string, isOver: () => boolean): Promise<number> {
  const connection = connect({ address, token: TOKEN });
  const grant = await takeShard(connection, workerId);
  const duplex = openDuplex(connection.bulk, BulkServiceService.push);
  let acknowledged = 0;
  let sent = 0;
  let wake: () => void = () => undefined;
  const reading = (async () => {
    for await (const { nextOffset } of duplex.responses) {
      acknowledged = Number(nextOffset);
      wake();
    }
  })();
  const metrics = pointsOf();
  while (!isOver()) {
    if (sent - acknowledged >= IN_FLIGHT * BATCH_POINTS) await new Promise<void>((resolve) => (wake = resolve));
    const batch: PushRequest = {
      workerId,
      sessionId: `session-of-${workerId}`,
      cellId: grant!.cells[0]!.cellId,
      token: grant!.token,
      kind: StreamKind.STREAM_KIND_METRICS,
      firstOffset: BigInt(sent),
      metrics,
      logs: [],
    };
    await duplex.send(batch);
    sent += BATCH_POINTS;
  }
  duplex.end();
  await reading;
  connection.close();
  return acknowledged;
}

function pointsOf(): NonNullable<PushRequest["metrics"]> {
  const numbers = Array.from({ length: BATCH_POINTS }, (_, index) => index);
  return {
    names: ["train.loss", "test.loss", "train.accuracy", "test.accuracy"],
    name: numbers.map((number) => number % 4),
    step: numbers.map((number) => BigInt(Math.floor(number / 4))),
    value: numbers.map((number) => 1 / (1 + number)),
  };
}

if (parentPort !== null) {
  const { address, streams, forMs } = workerData as Flood;
  const endMs = systemClock.monotonicMs() + forMs;
  const isOver = (): boolean => systemClock.monotonicMs() >= endMs;
  const points = await Promise.all(Array.from({ length: streams }, (_, index) => flood(address, `f${index}`, isOver)));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is of a window
  parentPort.postMessage(points.reduce((sum, each) => sum + each, 0));
}
