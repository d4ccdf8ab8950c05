/**
 * Shows progress on an output: a block that is redrawn on a terminal, plain lines elsewhere. Owns the block's place: notes
 * are written above it.
 */
import type { Clock } from "../../core/clock.ts";
import type { Output } from "../io.ts";
import { formatClockTime } from "./format.ts";
import { progressBlock, progressLine, sharesOf, type Snapshot } from "./progress.ts";

/** A pipe or log file gets a line this often while cells end, ... */
const PLAIN_INTERVAL_MS = 5_000;
/** ... and this often while nothing changes. */
const PLAIN_QUIET_MS = 30_000;

const TICK_MS = 1_000;

export interface ProgressView {
  show(snapshot: Snapshot): Promise<void>;
  /** A line for the record, above the block. */
  note(text: string): Promise<void>;
  /** Leaves the last block standing; nothing may follow. */
  close(): Promise<void>;
}

export function progressView(output: Output, clock: Clock, dumb: boolean): ProgressView {
  return output.isTTY && !dumb ? blockView(output, clock) : plainView(output, clock);
}

function blockView(output: Output, clock: Clock): ProgressView {
  const startMs = clock.monotonicMs();
  let drawn = 0;
  let last: Snapshot | undefined;
  // As narrow as it is: a line that wrapped would be two, and the block could not be erased.
  const columns = (): number => {
    const known = output.columns() ?? 0;
    // Some terminals say 0.
    return known > 0 ? known : 80;
  };
  // Up to the block's first line, then erase to the end of the screen (ECMA-48 CUU and ED).
  const erase = (): string => (drawn === 0 ? "" : `\u001b[${drawn}A\r\u001b[0J`);
  const draw = async (above: string): Promise<void> => {
    const lines =
      last === undefined
        ? []
        : [...progressBlock(last, clock.monotonicMs() - startMs, Math.max(1, columns() - 1), output.paint)];
    // A block that is higher than the terminal could not be erased.
    lines.length = Math.min(lines.length, Math.max(1, (output.rows() ?? 24) - 1));
    const text = `${erase()}${above}${lines.map((line) => `${line}\n`).join("")}`;
    drawn = lines.length;
    await output.write(text);
  };
  // Between snapshots the time goes on.
  let cancelTick = (): void => undefined;
  const tick = (): void => {
    cancelTick = clock.after(TICK_MS, () => {
      void draw("");
      tick();
    });
  };
  return {
    show: (snapshot) => {
      if (last === undefined) tick();
      last = snapshot;
      return draw("");
    },
    note: (text) => draw(`${text}\n`),
    close: async () => {
      cancelTick();
      drawn = 0;
      last = undefined;
    },
  };
}

function plainView(output: Output, clock: Clock): ProgressView {
  let lastMs = Number.NEGATIVE_INFINITY;
  let lastText = "";
  let lastFailed = 0;
  const stamp = (text: string): Promise<void> =>
    output.write(`${formatClockTime(clock.nowMs()).slice(0, 8)}  ${text}\n`);
  return {
    show: async (snapshot) => {
      const text = progressLine(snapshot);
      const { done, failed, total } = sharesOf(snapshot.counts);
      const passedMs = clock.monotonicMs() - lastMs;
      const urgent = failed > lastFailed || done + failed === total;
      const due = text !== lastText && (urgent || passedMs >= PLAIN_INTERVAL_MS);
      if (!due && passedMs < PLAIN_QUIET_MS) return;
      [lastMs, lastText, lastFailed] = [clock.monotonicMs(), text, failed];
      await stamp(text);
    },
    note: stamp,
    close: async () => undefined,
  };
}
