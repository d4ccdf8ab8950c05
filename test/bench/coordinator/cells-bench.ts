/** Many workers that finish many cells which cost nothing to train: what is left is the coordinator's own work. */
import { systemClock } from "../../../src/core/clock.ts";
import { against, type Measurement } from "../measurement.ts";
import { commit, submit, takeShard } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";

/** A worker commits the cells of its shard as they end: so many at once. */
const COMMITS_AT_ONCE = 16;

export async function cellsRows(
  store: string,
  cells: number,
  workers: number,
  place: string,
): Promise<readonly Measurement[]> {
  const coordinator = await CoordinatorProcess.start(store);
  const operator = coordinator.connect();
  await submit(operator, sweepOfSize("no-op", cells));
  const cpuMs = coordinator.cpuMs();
  const fromMs = systemClock.monotonicMs();
  let left = cells;
  const work = async (workerId: string): Promise<void> => {
    const connection = coordinator.connect();
    for (;;) {
      const grant = await takeShard(connection, workerId, () => left === 0);
      if (grant === undefined) break;
      const open = grant.cells.map(({ cellId }) => cellId);
      const oneByOne = async (): Promise<void> => {
        for (let cellId = open.pop(); cellId !== undefined; cellId = open.pop()) {
          await commit(connection, workerId, grant.token, cellId);
          left -= 1;
        }
      };
      await Promise.all(Array.from({ length: COMMITS_AT_ONCE }, oneByOne));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: workers }, (_, index) => work(`w${index}`)));
  const seconds = (systemClock.monotonicMs() - fromMs) / 1_000;
  const perCellUs = ((coordinator.cpuMs() - cpuMs) / cells) * 1_000;
  const memoryMb = coordinator.memoryMb("peak");
  operator.close();
  await coordinator.stop();
  const how = `${workers} workers, ${cells.toLocaleString("en")} no-op cells, one call a commit`;
  return [
    against(`coordinator CPU per cell, ${place}`, "us", perCellUs, { floor: 50, stretch: 20, most: true }, `/proc: user and system, all threads; ${how}`), // prettier-ignore
    against(`durable cells, ${place}`, "1/s", cells / seconds, { floor: 20_000, stretch: 100_000, most: false }, `${how}; the workers on the same machine`), // prettier-ignore
    against(`memory at the most, ${place}`, "MB", memoryMb, undefined, "VmHWM"),
  ];
}
