/**
 * The selftest: jobs of known answer, handed out to processes as these become free. A row depends on its job and the seed alone,
 * not on how many processes there are.
 */
import { OccamError } from "../../src/core/errors.ts";
import { ensembleRows } from "../../src/selftest/ensemble-figures.ts";
import type { TimedRow } from "../../src/selftest/row.ts";
import type { BackendChoice } from "../trainer/protocol.ts";
import { BenchChild } from "./bench-child.ts";
import type { JobName } from "./protocol.ts";
import type { Section } from "./section.ts";
import { SECTIONS } from "./sections.ts";

export interface SelftestPlan {
  /** Names of sections; none: those that take no long. */
  readonly only: readonly string[];
  /** Sections that take long, too. */
  readonly full: boolean;
  readonly seed: number;
  /** Gradients of each chain in place of the sections' own. */
  readonly budget: number | undefined;
  readonly backend: BackendChoice;
  /** Processes, by what they compute on. */
  readonly processes: (backend: string) => number;
  readonly signal: AbortSignal;
}

export interface SelftestEvents {
  /** The first engine is open. */
  opened(backend: string, device: string, processes: number, jobs: number): void;
  /** A job has ended. */
  rows(rows: readonly TimedRow[]): void;
}

interface Pending extends JobName {
  readonly name: string;
}

/** All rows in the order of the sections. Throws "cancelled" once the signal has aborted. */
export async function runSelftest(plan: SelftestPlan, events: SelftestEvents): Promise<readonly TimedRow[]> {
  const pending = sectionsOf(plan).flatMap(({ name: section, jobs }) =>
    jobs.map(({ name }, index): Pending => ({ section, index, name })),
  );
  const results: (readonly TimedRow[])[] = [];
  const children: BenchChild[] = [];
  const stop = (): void => children.forEach((child) => child.end());
  plan.signal.addEventListener("abort", stop);
  try {
    const first = await openChild(children, plan, plan.backend);
    const width = Math.max(1, Math.min(plan.processes(first.backend), pending.length));
    events.opened(first.backend, first.device, width, pending.length);
    let next = 0;
    const work = async (child: BenchChild): Promise<void> => {
      for (let at = next++; at < pending.length; at = next++) {
        results[at] = await runJob(child, pending[at]!);
        events.rows(results[at]!);
      }
    };
    const more = Array.from({ length: width - 1 }, async () =>
      work((await openChild(children, plan, first.backend)).child),
    );
    await Promise.all([work(first.child), ...more]);
  } catch (error) {
    if (plan.signal.aborted) throw new OccamError("cancelled", "the selftest was stopped");
    throw error;
  } finally {
    plan.signal.removeEventListener("abort", stop);
    stop();
  }
  const rows = results.flat();
  return [...rows, ...ensembleRows(rows)];
}

function sectionsOf({ only, full }: SelftestPlan): readonly Section[] {
  const known = SECTIONS.map(({ name }) => name);
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new OccamError("bad-usage", `no section of the selftest is called ${unknown.join(", ")}`, {
      where: "--only",
      hint: `they are ${known.join(", ")}`,
    });
  }
  return SECTIONS.filter(({ name, long }) => (only.length > 0 ? only.includes(name) : full || !long));
}

interface Opened {
  readonly child: BenchChild;
  readonly backend: BackendChoice;
  readonly device: string;
}

async function openChild(
  children: BenchChild[],
  { seed, budget }: SelftestPlan,
  backend: BackendChoice,
): Promise<Opened> {
  const child = new BenchChild({});
  children.push(child);
  const answer = await child.ask({ type: "open", backend, seed, budget });
  if (answer.type !== "ready") throw new OccamError("internal", "a process of the selftest answers out of turn");
  return { child, backend: answer.backend as BackendChoice, device: answer.device };
}

async function runJob(child: BenchChild, { section, index, name }: Pending): Promise<readonly TimedRow[]> {
  try {
    const answer = await child.ask({ type: "job", job: { section, index } });
    if (answer.type !== "rows") throw new OccamError("internal", "a process of the selftest answers out of turn");
    return answer.rows.map((row) => ({ ...row, section, cpuMs: answer.cpuMs / answer.rows.length }));
  } catch (error) {
    if (!(error instanceof OccamError)) throw error;
    throw new OccamError(error.code, `${section}, ${name}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}
