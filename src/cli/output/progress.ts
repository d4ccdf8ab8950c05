/** What a sweep's progress looks like, in text: pure, from a snapshot to lines. */
import type { CellCounts, CellSummary, Worker } from "../../../proto/gen/occam/v1/operator.ts";
import { workerStateName } from "../wire-names.ts";
import { fit, formatDuration, formatFigure, printable } from "./format.ts";
import type { Paint } from "./paint.ts";

/** The part of a watch's snapshot that is shown. */
export interface Snapshot {
  readonly sweepId: string;
  readonly counts: CellCounts;
  readonly workers: readonly Worker[];
  readonly cellsPerMinute: number;
  /** 0: unknown. */
  readonly etaMs: number;
  readonly lowest: CellSummary | undefined;
  readonly highest: CellSummary | undefined;
}

/** A shorter bar says nothing. */
const BAR_LEAST = 8;

/** More workers than this are summed up in one line. */
const MAX_WORKER_LINES = 16;

export interface Shares {
  readonly done: number;
  readonly running: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly total: number;
}

/** The five numbers that people follow. Leased cells count as running: a worker has them. */
export function sharesOf(counts: CellCounts): Shares {
  return {
    done: counts.committed,
    running: counts.running + counts.leased,
    failed: counts.quarantined,
    cancelled: counts.cancelled,
    total: counts.total,
  };
}

/** The block that a terminal redraws. No line is wider than `width`. */
export function progressBlock(snapshot: Snapshot, elapsedMs: number, width: number, paint: Paint): readonly string[] {
  const shares = sharesOf(snapshot.counts);
  return [
    paint("bold", fit(snapshot.sweepId, width)),
    ...(width < BAR_LEAST ? [] : [bar(shares, Math.min(width, 60), paint)]),
    ...wrapParts(shareParts(shares), width).map((line) => (shares.failed > 0 ? paint("yellow", line) : line)),
    ...wrapParts([...(isOver(shares) ? [] : rateParts(snapshot)), `elapsed ${formatDuration(elapsedMs)}`], width),
    ...extremes(snapshot, width),
    ...workerLines(snapshot.workers, width, paint),
  ];
}

/** One line for a log or a pipe. */
export function progressLine(snapshot: Snapshot): string {
  const shares = sharesOf(snapshot.counts);
  return [...shareParts(shares), ...(isOver(shares) ? [] : rateParts(snapshot))].join(", ");
}

function shareParts(shares: Shares): readonly string[] {
  return [
    `${shares.done}/${shares.total} cells done`,
    `${shares.running} running`,
    `${shares.failed} failed`,
    ...(shares.cancelled > 0 ? [`${shares.cancelled} cancelled`] : []),
  ];
}

const isOver = ({ done, failed, cancelled, total }: Shares): boolean => done + failed + cancelled === total;

function rateParts({ cellsPerMinute, etaMs }: Snapshot): readonly string[] {
  return [`${formatFigure(cellsPerMinute)} cells/min`, `ETA ${etaMs > 0 ? formatDuration(etaMs) : "unknown"}`];
}

/** Joins with commas into as few lines as fit. */
function wrapParts(parts: readonly string[], width: number): readonly string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 2 + part.length <= width) lines[lines.length - 1] = `${last}, ${part}`;
    else lines.push(fit(part, width));
  }
  return lines;
}

function bar(shares: Shares, width: number, paint: Paint): string {
  const inner = Math.max(1, width - 2);
  const total = Math.max(1, shares.total);
  const done = Math.floor((inner * shares.done) / total);
  const failed = Math.min(inner - done, Math.ceil((inner * shares.failed) / total));
  const running = Math.min(inner - done - failed, Math.ceil((inner * shares.running) / total));
  const rest = " ".repeat(inner - done - failed - running);
  return `[${paint("green", "#".repeat(done))}${paint("red", "!".repeat(failed))}${paint("dim", "-".repeat(running))}${rest}]`;
}

function extremes({ lowest, highest }: Snapshot, width: number): readonly string[] {
  const line = (word: string, cell: CellSummary | undefined): readonly string[] =>
    cell === undefined ? [] : [fit(`${word} lambda ${formatFigure(cell.lambdaHat)}  ${printable(cell.label)}`, width)];
  return [...line("lowest", lowest), ...line("highest", highest)];
}

function workerLines(workers: readonly Worker[], width: number, paint: Paint): readonly string[] {
  const shown = workers.slice(0, MAX_WORKER_LINES);
  const nameWidth = Math.min(Math.floor(width / 3), Math.max(0, ...shown.map(({ workerId }) => workerId.length)));
  const lines = shown.map((worker) => {
    const state = workerStateName(worker.state);
    const name = fit(worker.workerId, nameWidth).padEnd(nameWidth);
    const line = fit(`${name}  ${state.padEnd(8)}  ${printable(worker.activity)}`.trimEnd(), width);
    return state === "lost" ? paint("red", line) : line;
  });
  const more = workers.length - shown.length;
  return more > 0 ? [...lines, fit(`and ${more} more workers`, width)] : lines;
}
