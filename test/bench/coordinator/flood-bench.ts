/** Metrics as fast as the coordinator takes them, and what heartbeats and commits feel of it. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { systemClock } from "../../../src/core/clock.ts";
import { against, type Measurement } from "../measurement.ts";
import { commit, quantileOf, submit, sync, takeShard, timed } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";
import { BATCH_POINTS, IN_FLIGHT, type Flood } from "./flood-thread.ts";

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
  // In a thread of its own: what is timed here is not to wait for what is sent there.
  const workerData: Flood = { address: coordinator.address, streams, forMs };
  const flooding = new Worker(new URL("./flood-thread.js", import.meta.url), { workerData });
  const [[total]] = (await Promise.all([once(flooding, "message"), timeCalls()])) as [[number], void];
  const cpuS = (coordinator.cpuMs() - cpuMs) / 1_000;
  operator.close();
  probe.close();
  await coordinator.stop();
  const method = `${streams} streams of another thread, batches of ${BATCH_POINTS} points, ${IN_FLIGHT} under way, as fast as they are acknowledged`;
  return [
    against("metric points per core, durable", "1/s", total / cpuS, { floor: 500_000, stretch: 2_000_000, most: false }, `acknowledged points / CPU seconds; ${method}`), // prettier-ignore
    against("metric points, durable", "1/s", total / (forMs / 1_000), undefined, method),
    against("heartbeat p99 meanwhile", "ms", quantileOf(beats, 0.99), { floor: 50, stretch: null, most: true }, `a call every ${CALL_GAP_MS} ms`), // prettier-ignore
    against("commit p99 meanwhile", "ms", quantileOf(commits, 0.99), { floor: 50, stretch: null, most: true }, `a call every ${CALL_GAP_MS} ms`), // prettier-ignore
  ];
}
