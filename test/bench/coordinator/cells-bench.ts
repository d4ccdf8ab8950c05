/** Many workers that finish many cells which cost nothing to train: what is left is the coordinator's own work. */
import { systemClock } from "../../../src/core/clock.ts";
import { against, type Measurement } from "../measurement.ts";
import { commit, submit, takeShard } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";

/** Calls that a worker has under way. */
const CALLS_AT_ONCE = 4;

export interface CellsLoad {
  readonly cells: number;
  readonly workers: number;
  /** Cells that end together and are committed by one call: the cells of a fused program do. */
  readonly perCall: number;
  /** "sqlite" or "postgres", for the rows' names. */
  readonly place: string;
}

export async function cellsRows(store: string, load: CellsLoad): Promise<readonly Measurement[]> {
  const { cells, workers, perCall, place } = load;
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
      const commitAll = async (): Promise<void> => {
        for (let part = open.splice(0, perCall); part.length > 0; part = open.splice(0, perCall)) {
          await commit(connection, workerId, grant.token, part);
          left -= part.length;
        }
      };
      await Promise.all(Array.from({ length: CALLS_AT_ONCE }, commitAll));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: workers }, (_, index) => work(`w${index}`)));
  const seconds = (systemClock.monotonicMs() - fromMs) / 1_000;
  const perCellUs = ((coordinator.cpuMs() - cpuMs) / cells) * 1_000;
  const memoryMb = coordinator.memoryMb("peak");
  operator.close();
  await coordinator.stop();
  const calls = perCall === 1 ? "a call for each commit" : `${perCall} commits a call`;
  const how = `${workers} workers, ${cells.toLocaleString("en")} no-op cells, ${calls}`;
  return [
    against(`coordinator CPU per cell, ${calls}, ${place}`, "us", perCellUs, { floor: 50, stretch: 20, most: true }, `/proc: user and system, all threads; ${how}`), // prettier-ignore
    against(`durable cells, ${calls}, ${place}`, "1/s", cells / seconds, { floor: 20_000, stretch: 100_000, most: false }, `${how}; the workers on the same machine`), // prettier-ignore
    against(`memory of the coordinator, ${calls}, ${place}`, "MB", memoryMb, undefined, `VmHWM; ${how}`),
  ];
}
