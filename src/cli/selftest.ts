/** `occam selftest`: progress while it runs, then one table of all rows, or JSON. */
import { EXIT } from "../core/errors.ts";
import type { TimedRow } from "../selftest/row.ts";
import { widthOf, type Io } from "./io.ts";
import type { BackendName } from "./options.ts";
import { defaultWorkers, visibleGpus } from "./run/default-workers.ts";
import { stopRequest } from "./run/stop-request.ts";
import { formatDuration, formatFigure } from "./output/format.ts";
import { renderTable, type TableColumn } from "./output/table.ts";

export interface SelftestArgs {
  readonly only: readonly string[];
  readonly full: boolean;
  readonly seed: number;
  readonly budget: number | undefined;
  readonly workers: number | undefined;
  readonly backend: BackendName;
  readonly json: boolean;
}

/** The exit code: 1 when a gate fails, for the numbers of this installation are then not what they are said to be. */
export async function selftest(args: SelftestArgs, io: Io): Promise<number> {
  const controller = new AbortController();
  void stopRequest().requested.then(() => controller.abort());
  // oxlint-disable-next-line no-restricted-imports -- only a worker can estimate
  const { runSelftest } = await import("../../worker/selftest/main.ts");
  const progress = new SelftestProgress(io);
  const startMs = io.clock.monotonicMs();
  const processes = (backend: string): number =>
    args.workers ?? defaultWorkers(backend, backend === "tensorflow-gpu" ? visibleGpus(io.env) : []);
  const rows = await runSelftest({ ...args, processes, signal: controller.signal }, progress).finally(() => progress.close()); // prettier-ignore
  const elapsedMs = io.clock.monotonicMs() - startMs;
  const failed = rows.filter(({ passed }) => !passed);
  if (args.json) await io.out.write(`${JSON.stringify({ passed: failed.length === 0, elapsedMs, rows })}\n`);
  else await io.out.write(selftestText(rows, elapsedMs, widthOf(io.out)));
  return failed.length === 0 ? EXIT.ok : EXIT.internal;
}

const COLUMNS: readonly TableColumn[] = [
  { title: "section" },
  { title: "row" },
  { title: "truth", align: "right" },
  { title: "estimate", align: "right" },
  { title: "SE", align: "right" },
  { title: "z", align: "right" },
  { title: "verdict" },
  { title: "gate" },
  { title: "" },
];

/** The table, what failed and why, and one line that sums it up. */
export function selftestText(rows: readonly TimedRow[], elapsedMs: number, width: number): string {
  // The networks of an ensemble are in its figures, and in the JSON.
  const shown = rows.filter(({ group }) => group === "");
  const failed = rows.filter(({ passed }) => !passed);
  const notes = shown.filter(({ note }) => note !== "");
  const cpuMs = rows.reduce((sum, row) => sum + row.cpuMs, 0);
  const count = `${rows.length - failed.length} of ${rows.length} rows passed`;
  return [
    ...renderTable(COLUMNS, shown.map(cellsOf), Math.max(width, LEAST_TABLE_WIDTH)),
    ...(notes.length === 0 ? [] : ["", ...notes.map((row) => `${row.passed ? "note" : "FAIL"}  ${row.name}: ${row.note}`)]), // prettier-ignore
    "",
    `${count} in ${formatDuration(elapsedMs)} (${formatDuration(cpuMs)} of processor time)`,
    "",
  ].join("\n");
}

/** Rows are compared with each other: a list of records would not show it. */
const LEAST_TABLE_WIDTH = 240;

function cellsOf({ section, name, truth, estimate, se, z, verdict, gate, passed }: TimedRow): readonly string[] {
  const figure = (value: number | null): string => (value === null ? "" : formatFigure(value));
  const rounded = z === null ? "" : z.toFixed(1);
  return [section, name, figure(truth), figure(estimate), figure(se), rounded, verdict, gate, passed ? "pass" : "FAIL"];
}

/** A pipe gets a line this often. */
const LINE_EVERY_MS = 10_000;

/** One line that is rewritten on a terminal, a line now and then elsewhere; on standard error, so that the table stays clean. */
class SelftestProgress {
  readonly #io: Io;
  readonly #startMs: number;
  #jobs = 0;
  #done = 0;
  #failed = 0;
  #lastMs: number;

  constructor(io: Io) {
    this.#io = io;
    this.#startMs = io.clock.monotonicMs();
    this.#lastMs = this.#startMs;
  }

  opened(backend: string, device: string, processes: number, jobs: number): void {
    this.#jobs = jobs;
    const who = processes === 1 ? "one process" : `${processes} processes`;
    void this.#io.err.write(`computing on ${backend} (${device}), ${who}, ${jobs} jobs\n`);
    this.#show();
  }

  rows(rows: readonly TimedRow[]): void {
    this.#done += 1;
    this.#failed += rows.filter(({ passed }) => !passed).length;
    this.#show(rows.at(-1)?.name);
  }

  close(): void {
    if (this.#io.err.isTTY && this.#jobs > 0) void this.#io.err.write("\r\u001b[2K");
  }

  #show(last?: string): void {
    const { err, clock } = this.#io;
    const nowMs = clock.monotonicMs();
    const done = `${this.#done}/${this.#jobs} jobs, ${this.#failed} rows failed, ${formatDuration(nowMs - this.#startMs)}`;
    const text = last === undefined ? done : `${done}; last: ${last}`;
    if (err.isTTY) {
      void err.write(`\r\u001b[2K${text.slice(0, widthOf(err) - 1)}`);
    } else if (nowMs - this.#lastMs >= LINE_EVERY_MS) {
      this.#lastMs = nowMs;
      void err.write(`${text}\n`);
    }
  }
}
