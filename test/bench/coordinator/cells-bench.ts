/** Many workers that finish many cells which cost nothing to train: what is left is the coordinator's own work. */
import { systemClock } from "../../../src/core/clock.ts";
import { against, type Measurement } from "../measurement.ts";
import { commit, submit, takeShard } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";

/** Calls that a worker has under way. */
const CALLS_AT_ONCE = 4;
/** The first cells, and twice as many behind them. */
const ROUNDS = 3;

export interface CellsLoad {
  /** V8 compiles what it runs while these are committed; twice as many follow. */
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
  await submit(operator, sweepOfSize("no-op", cells * ROUNDS));
  let left = cells * ROUNDS;
  const mark = (): Mark => ({ left, cpuMs: coordinator.cpuMs(), atMs: systemClock.monotonicMs() });
  const marks = [mark()];
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
          if (marks.length === 1 && left <= cells * (ROUNDS - 1)) marks.push(mark());
        }
      };
      await Promise.all(Array.from({ length: CALLS_AT_ONCE }, commitAll));
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: workers }, (_, index) => work(`w${index}`)));
  marks.push(mark());
  const memoryMb = coordinator.memoryMb("peak");
  operator.close();
  await coordinator.stop();
  const calls = perCall === 1 ? "a call for each commit" : `${perCall} commits a call`;
  const rowsBetween = (from: Mark, to: Mark, which: string): readonly Measurement[] => {
    const done = from.left - to.left;
    const how = `${workers} workers, ${calls}, ${done.toLocaleString("en")} no-op cells`;
    const [cpuUs, perSecond] = [(to.cpuMs - from.cpuMs) / done, done / (to.atMs - from.atMs)].map(
      (each) => each * 1_000,
    );
    return [
      against(`coordinator CPU per cell, ${which}, ${calls}, ${place}`, "us", cpuUs!, { floor: 50, stretch: 20, most: true }, `/proc: user and system, all threads; ${how}`), // prettier-ignore
      against(`durable cells, ${which}, ${calls}, ${place}`, "1/s", perSecond!, { floor: 20_000, stretch: 100_000, most: false }, `${how}; the workers on the same machine`), // prettier-ignore
    ];
  };
  const [first, warm, last] = marks as [Mark, Mark, Mark];
  const many = cells.toLocaleString("en");
  return [
    ...rowsBetween(first, warm, `the first ${many}`),
    ...rowsBetween(warm, last, `behind the first ${many}`),
    against(`memory of the coordinator, ${calls}, ${place}`, "MB", memoryMb, undefined, `VmHWM; ${workers} workers, ${calls}, all of these cells`), // prettier-ignore
  ];
}

/** What was used when so many cells were left. */
interface Mark {
  readonly left: number;
  readonly cpuMs: number;
  readonly atMs: number;
}
