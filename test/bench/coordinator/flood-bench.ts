/** Metrics as fast as the coordinator takes them, and what heartbeats and commits feel of it. */
import { BulkServiceService, StreamKind, type PushRequest } from "../../../proto/gen/occam/v1/bulk.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { openDuplex } from "../../../src/rpc/client-calls.ts";
import { against, type Measurement } from "../measurement.ts";
import { commit, quantileOf, submit, sync, takeShard, timed } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";

/** Points of one batch: what a worker of ours sends at the most. */
const BATCH_POINTS = 4_096;
/** Batches of one stream under way, as a worker has. */
const IN_FLIGHT = 16;
/** Between two of the calls that are timed. */
const CALL_GAP_MS = 20;

export async function floodRows(store: string, streams: number, forMs: number): Promise<readonly Measurement[]> {
  const coordinator = await CoordinatorProcess.start(store);
  const operator = coordinator.connect();
  await submit(operator, sweepOfSize("flooded", 10_000));
  const endMs = systemClock.monotonicMs() + forMs;
  const isOver = (): boolean => systemClock.monotonicMs() >= endMs;
  const cpuMs = coordinator.cpuMs();
  const beats: number[] = [];
  const commits: number[] = [];
  const probe = coordinator.connect();
  const timeCalls = async (): Promise<void> => {
    while (!isOver()) {
      const grant = await takeShard(probe, "probe");
      for (const { cellId } of grant!.cells) {
        if (isOver()) break;
        beats.push(await timed(() => sync(probe, "probe", { held: [{ token: grant!.token, phase: 2 }] })));
        commits.push(await timed(() => commit(probe, "probe", grant!.token, [cellId])));
        await systemClock.sleep(CALL_GAP_MS);
      }
    }
  };
  const flooding = Array.from({ length: streams }, (_, index) => flood(coordinator, `f${index}`, isOver));
  const [points] = await Promise.all([Promise.all(flooding), timeCalls()]);
  const total = points.reduce((sum, each) => sum + each, 0);
  const cpuS = (coordinator.cpuMs() - cpuMs) / 1_000;
  operator.close();
  probe.close();
  await coordinator.stop();
  const method = `${streams} streams, batches of ${BATCH_POINTS} points, ${IN_FLIGHT} under way, as fast as they are acknowledged`;
  return [
    against("metric points per core, durable", "1/s", total / cpuS, { floor: 500_000, stretch: 2_000_000, most: false }, `acknowledged points / CPU seconds; ${method}`), // prettier-ignore
    against("metric points, durable", "1/s", total / (forMs / 1_000), undefined, method),
    against("heartbeat p99 meanwhile", "ms", quantileOf(beats, 0.99), { floor: 50, stretch: null, most: true }, `a call every ${CALL_GAP_MS} ms`), // prettier-ignore
    against("commit p99 meanwhile", "ms", quantileOf(commits, 0.99), { floor: 50, stretch: null, most: true }, `a call every ${CALL_GAP_MS} ms`), // prettier-ignore
  ];
}

/** Points that were acknowledged. */
async function flood(coordinator: CoordinatorProcess, workerId: string, isOver: () => boolean): Promise<number> {
  const connection = coordinator.connect();
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
