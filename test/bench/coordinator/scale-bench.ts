/** One very large sweep: expanded, lost with its coordinator, recovered, cancelled. */
import { systemClock } from "../../../src/core/clock.ts";
import { SweepState } from "../../../proto/gen/occam/v1/operator.ts";
import { against, type Measurement } from "../measurement.ts";
import { cancel, quantileOf, resume, submit, sync, timed, untilSweep } from "./bench-calls.ts";
import { sweepOfSize } from "./bench-sweep.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";

const MILLION = 1_000_000;
/** Between two heartbeats that are timed while the coordinator works. */
const BEAT_MS = 50;

/** @param place "sqlite" or "postgres", for the rows' names */
export async function scaleRows(store: string, cells: number, place: string): Promise<readonly Measurement[]> {
  const share = cells / MILLION;
  const of = `${cells.toLocaleString("en")} cells, ${place}`;
  const empty = await CoordinatorProcess.start(store);
  await empty.stop();
  const first = await CoordinatorProcess.start(store);
  const rows = [
    against(`cold start to serving, ${place}`, "ms", first.startMs, whereAlone(place, 400, 150), "from the process's start to its word that it serves; a store that was there"), // prettier-ignore
  ];
  const expansion = await expand(first, cells);
  rows.push(
    against(`expand and hash ${of}`, "s", expansion.seconds, { floor: 20 * share, stretch: 3 * share, most: true }, "submit until every cell is durable"), // prettier-ignore
    against(`heartbeat p99 meanwhile, ${place}`, "ms", expansion.beatP99Ms, { floor: 1_000, stretch: 50, most: true }, `a sync every ${BEAT_MS} ms`), // prettier-ignore
    against(`memory with ${of} pending, just expanded`, "MB", first.memoryMb("now"), undefined, "VmRSS"),
    against(`memory while expanding, at the most, ${place}`, "MB", first.memoryMb("peak"), undefined, "VmHWM"),
  );
  await first.kill();
  const second = await CoordinatorProcess.start(store);
  rows.push(
    against(`recovery after kill -9 at ${of}`, "s", second.startMs / 1_000, whereAlone(place, 5 * share, 1.5 * share), `from the process's start until it serves${waiting(place)}`), // prettier-ignore
    against(`memory at ${of}`, "MB", second.memoryMb("now"), { floor: 600, stretch: 300, most: true }, "VmRSS after recovery"), // prettier-ignore
    against(`memory while recovering, at the most, ${place}`, "MB", second.memoryMb("peak"), { floor: 600, stretch: 300, most: true }, "VmHWM"), // prettier-ignore
  );
  rows.push(...(await cancelled(second, store, cells, place)));
  return rows;
}

/** Floors of a start are for a coordinator alone: on PostgreSQL one that was killed leads until its lease runs out. */
const whereAlone = (place: string, floor: number, stretch: number | null) =>
  place === "sqlite" ? { floor, stretch, most: true } : undefined;
const waiting = (place: string): string => (place === "sqlite" ? "" : "; the lead of the killed one runs out first");

async function expand(
  coordinator: CoordinatorProcess,
  cells: number,
): Promise<{ readonly seconds: number; readonly beatP99Ms: number }> {
  const connection = coordinator.connect();
  const beats = new HeartbeatProbe(() => sync(connection, "w"));
  const fromMs = systemClock.monotonicMs();
  const { sweepId } = await submit(connection, sweepOfSize("large", cells));
  await untilSweep(connection, sweepId, ({ counts }) => counts!.total === cells);
  const seconds = (systemClock.monotonicMs() - fromMs) / 1_000;
  const beatP99Ms = quantileOf(await beats.stop(), 0.99);
  connection.close();
  return { seconds, beatP99Ms };
}

async function cancelled(
  coordinator: CoordinatorProcess,
  store: string,
  cells: number,
  place: string,
): Promise<readonly Measurement[]> {
  const share = cells / MILLION;
  const connection = coordinator.connect();
  const beats = new HeartbeatProbe(() => sync(connection, "w"));
  const cancelMs = await timed(() => cancel(connection, "large"));
  const beatMostMs = Math.max(...(await beats.stop()));
  await coordinator.kill();
  connection.close();
  const next = await CoordinatorProcess.start(store);
  const after = next.connect();
  const isWhole = (sweep: Awaited<ReturnType<typeof cancel>>): boolean => sweep.counts!.cancelled === cells;
  const sweep = await cancel(after, "large");
  if (sweep.state !== SweepState.SWEEP_STATE_CANCELLED || !isWhole(sweep)) {
    throw new Error(`after a kill just behind the answer ${sweep.counts!.cancelled} of ${cells} cells are cancelled`);
  }
  const resumeMs = await timed(() => resume(after, "large"));
  after.close();
  const restartMs = next.startMs;
  await next.stop();
  return [
    against(`cancel of ${cells.toLocaleString("en")} cells, ${place}`, "s", cancelMs / 1_000, { floor: 2 * share, stretch: null, most: true }, "until the answer; killed right after it, and cancelled at the next start"), // prettier-ignore
    against(`longest heartbeat meanwhile, ${place}`, "ms", beatMostMs, { floor: 1_000, stretch: null, most: true }, `a sync every ${BEAT_MS} ms`), // prettier-ignore
    against(`start after that kill, ${place}`, "s", restartMs / 1_000, whereAlone(place, 5 * share, null), `what of the cancel is not written is taken up${waiting(place)}`), // prettier-ignore
    against(`resume of ${cells.toLocaleString("en")} cells, ${place}`, "s", resumeMs / 1_000, undefined, "until every cell is durably pending again"), // prettier-ignore
  ];
}

/** Calls again and again, and notes how long each took. */
export class HeartbeatProbe {
  readonly #readings: number[] = [];
  readonly #over = new AbortController();
  readonly #done: Promise<void>;

  constructor(beat: () => Promise<unknown>, everyMs = BEAT_MS) {
    this.#done = this.#run(beat, everyMs);
  }

  async stop(): Promise<readonly number[]> {
    this.#over.abort();
    await this.#done;
    return this.#readings;
  }

  async #run(beat: () => Promise<unknown>, everyMs: number): Promise<void> {
    while (!this.#over.signal.aborted) {
      const tookMs = await timed(beat);
      this.#readings.push(tookMs);
      await systemClock.sleep(Math.max(0, everyMs - tookMs), this.#over.signal);
    }
  }
}
