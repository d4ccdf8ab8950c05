/**
 * The middle of `occam run`, from the coordinator's start to the report: submits the sweep, follows it, writes what came of
 * it. A module of its own, so that the processes start while it loads.
 */
import { dirname, join, relative } from "node:path";
import { EXIT, OccamError, type ErrorCode } from "../../core/errors.ts";
import type { Sweep } from "../../../proto/gen/occam/v1/operator.ts";
import { type Artifacts, loadReport, writeArtifacts } from "../artifacts.ts";
import { gitRevision } from "../git-revision.ts";
import type { Io } from "../io.ts";
import { openOperator, required, type Operator } from "../operator.ts";
import type { ProgressView } from "../output/progress-view.ts";
import { missingOf, summaryLines } from "../result-table.ts";
import type { SpecFile } from "../spec-file.ts";
import { snapshotOf } from "../sweep-text.ts";
import { pathIn } from "../token.ts";
import { aborted, firstOf, type Interrupts } from "./interrupts.ts";
import type { LocalCluster } from "./local-cluster.ts";
import { forgetRequest, requestIdFor } from "./no-cache-request.ts";
import type { RunArgs } from "./run-sweep.ts";

export interface CoordinatorTarget {
  readonly address: string;
  readonly token: string;
}

/** Why following a sweep ended. */
type Outcome =
  | { readonly kind: "finished" }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly error: OccamError };

/** Snapshots come at most this often. */
const WATCH_INTERVAL_MS = 250;

export async function runOn(
  target: CoordinatorTarget,
  cluster: LocalCluster,
  file: SpecFile,
  args: RunArgs,
  io: Io,
  view: ProgressView,
  interrupts: Interrupts,
): Promise<number> {
  const operator = openOperator(target, io.clock);
  try {
    return await runWith(operator, cluster, file, args, io, view, interrupts);
  } finally {
    operator.close();
  }
}

async function runWith(
  operator: Operator,
  cluster: LocalCluster,
  file: SpecFile,
  args: RunArgs,
  io: Io,
  view: ProgressView,
  interrupts: Interrupts,
): Promise<number> {
  const sweep = await submit(operator, file, args, io);
  const counts = required(sweep.counts);
  const open = counts.total - counts.committed - counts.quarantined;
  if (counts.committed > 0) await view.note(`${counts.committed} of ${counts.total} cells have a result already`);
  cluster.startWorkers(open);
  const outcome = await follow(operator, sweep.sweepId, cluster, view, interrupts);
  if (outcome.kind === "stopped")
    await view.note("stopping: workers hand back what they hold; Ctrl-C again stops at once");
  if (outcome.kind === "failed") await view.note(io.out.paint("red", outcome.error.toUserText()));
  await view.close();
  const revisionOf = gitRevision(dirname(pathIn(io.cwd, file.fileName)));
  void loadReport();
  await Promise.race([cluster.drainWorkers(), aborted(interrupts.kill)]);
  if (interrupts.kill.aborted) return EXIT.drained;
  const revision = await revisionOf;
  const written = patiently(io, cluster, () => writeArtifacts(operator, sweep.sweepId, args.outDir, revision));
  const artifacts = await firstOf(written, interrupts.kill);
  if (artifacts === undefined) return EXIT.drained;
  await io.out.write(`${summaryOf(artifacts, args.outDir, io)}\n`);
  await cluster.stop();
  return finish(outcome, missingOf(artifacts.rows), args, io);
}

function summaryOf({ rows, files }: Artifacts, outDir: string, io: Io): string {
  const shown = relative(io.cwd, outDir);
  const folder = shown === "" || shown.startsWith("..") ? outDir : shown;
  return ["", ...summaryLines(rows, io.out.paint), "", ...files.map((name) => join(folder, name))].join("\n");
}

async function finish(outcome: Outcome, missing: number, args: RunArgs, io: Io): Promise<number> {
  if (outcome.kind === "failed") throw outcome.error;
  if (outcome.kind === "stopped") {
    await io.out.write("stopped before the end; run the same command to go on\n");
    return EXIT.drained;
  }
  forgetRequest(args.outDir);
  return missing > 0 ? EXIT.incomplete : EXIT.ok;
}

async function submit(operator: Operator, file: SpecFile, args: RunArgs, io: Io): Promise<Sweep> {
  const request = {
    specText: file.text,
    fileName: file.fileName,
    noCache: args.noCache,
    requestId: args.noCache ? requestIdFor(args.outDir, file.spec.canonical) : "",
  };
  return required((await patiently(io, undefined, () => operator.submit(request))).sweep);
}

/** Follows the sweep to whichever end comes first. */
async function follow(
  operator: Operator,
  sweepId: string,
  cluster: LocalCluster,
  view: ProgressView,
  interrupts: Interrupts,
): Promise<Outcome> {
  const end = new AbortController();
  const watching = (async (): Promise<Outcome> => {
    for await (const response of operator.watch(sweepId, WATCH_INTERVAL_MS, { signal: end.signal, patient: true })) {
      await view.show(snapshotOf(response));
    }
    return { kind: "finished" };
  })();
  const stopped = aborted(interrupts.stop).then((): Outcome => ({ kind: "stopped" }));
  const failed = cluster.failed.then((error): Outcome => ({ kind: "failed", error }));
  const outcome = await Promise.race([watching, stopped, failed]);
  end.abort();
  await watching;
  return outcome;
}

/** How long a call is repeated while a killed coordinator comes back. */
const PATIENCE_MS = 60_000;

/** Repeats what fails because the coordinator is away, until it is clear that it stays away. */
async function patiently<T>(io: Io, cluster: LocalCluster | undefined, call: () => Promise<T>): Promise<T> {
  const endMs = io.clock.monotonicMs() + PATIENCE_MS;
  let lost: OccamError | undefined;
  void cluster?.failed.then((error) => (lost = error));
  for (;;) {
    try {
      return await call();
    } catch (error) {
      const away: ErrorCode = "unavailable";
      if (!(error instanceof OccamError) || error.code !== away) throw error;
      if (lost !== undefined || io.clock.monotonicMs() > endMs) throw lost ?? error;
      await io.clock.sleep(300);
    }
  }
}
