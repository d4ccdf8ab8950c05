/**
 * Submits, expands, cancels, resumes and reruns sweeps.
 *
 * Invariants:
 * 1. The same spec is the same sweep, however often and however concurrently it is submitted.
 * 2. The grid is expanded in chunks, between which the event loop turns; after a restart the expansion goes on.
 * 3. An edited sweep is another sweep; the cells that both have are one: done, running or waiting as they are.
 * 4. A running sweep ends up expanded and with no cancelled cell: what an interrupted expansion or resume has left is taken up at
 *    the next start, or when the sweep is submitted or resumed again.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { SweepId } from "../../src/core/ids.ts";
import type { HotCell } from "../hot/cell-book.ts";
import type { Hot } from "../hot/hot.ts";
import type { Sweep } from "../hot/sweep.ts";
import { cleanText } from "../ingest/clean-text.ts";
import { isOpen } from "../lease/cell-state.ts";
import { LIMITS } from "../limits.ts";
import { parseRequirement } from "../schedule/requirement.ts";
import { admit, type Points } from "./admit.ts";
import { cancelCells, endCells } from "./cancel-cells.ts";
import { checkSize } from "./check-size.ts";
import { finishIfDone } from "./finish.ts";
import { unpauseSweep } from "./pause.ts";
import { rerunQuarantined } from "./rerun.ts";
import { resumeCells } from "./resume-cells.ts";
import type { ReadSpec, SpecCell } from "./spec-reader.ts";

export interface Submission {
  readonly specText: string;
  readonly fileName: string;
  readonly noCache: boolean;
  /** Needed with `noCache`: the same one is the same sweep. */
  readonly requestId: string;
  /** The span of the submission. */
  readonly traceparent?: string;
  readonly priority?: number;
  readonly maxWorkers?: number;
  readonly require?: readonly string[];
  /** Cells that it may have; 0: as many as the quota says. */
  readonly maxCells?: number;
  /** Name of the token that it comes with. */
  readonly submitter?: string;
  /** Cancel the other running sweeps of its name. */
  readonly replace?: boolean;
}

export interface Submitted {
  readonly sweep: Sweep;
  readonly created: boolean;
  readonly replaced: readonly SweepId[];
}

/** Points between two looks at the clock. */
const POINTS_AT_ONCE = 32;

export class SweepDesk {
  readonly #hot: Hot;
  /** What is being done to a sweep: submissions of it wait for that. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Chunks of all sweeps are admitted one after another. */
  #chunks: Promise<void> = Promise.resolve();
  /** Rows that are written without anybody waiting for them. */
  readonly #background = new Set<Promise<void>>();
  #expanding = 0;
  #closed = false;

  constructor(hot: Hot) {
    this.#hot = hot;
  }

  /** Grids are being stored or taken up again, which takes all there is of the event loop, and ends by itself. */
  get isExpanding(): boolean {
    return this.#underWay.size > 0;
  }

  /** Resolves when every cell of the sweep is known and stored. */
  async submit(submission: Submission): Promise<Submitted> {
    const submitted = await this.#submit(submission);
    // Now that its cells are linked, what both have is wanted still.
    const replaced = submission.replace === true ? await this.#cancelOthers(submitted.sweep) : [];
    return { ...submitted, replaced };
  }

  async #submit(submission: Submission): Promise<Omit<Submitted, "replaced">> {
    const spec = await this.#read(submission);
    for (const text of submission.require ?? []) parseRequirement(text);
    const id = spec.id(submission.noCache ? submission.requestId : undefined);
    await this.#underWay.get(id);
    const known = this.#hot.sweeps.get(id);
    if (known !== undefined) {
      if (isCutShort(known)) await this.#exclusively(known.record.id, () => this.#resume(known, spec));
      await this.#hot.writer.settled();
      return { sweep: known, created: false };
    }
    this.#refuseUnderLoad();
    let created: Sweep | undefined;
    await this.#exclusively(id, () =>
      this.#oneOfFew(async () => {
        await checkSize(this.#hot, spec, submission.submitter ?? "", submission.maxCells ?? 0);
        created = this.#create(submission, spec);
        await this.#expand(created, spec);
      }),
    );
    return { sweep: created ?? this.#hot.sweeps.find(id), created: created !== undefined };
  }

  async cancel(sweep: Sweep): Promise<void> {
    this.#inBackground(cancelCells(this.#hot, sweep, this.#isClosed));
    await this.#hot.writer.settled();
  }

  /** A paused or cancelled sweep goes on. */
  async resume(sweep: Sweep): Promise<void> {
    unpauseSweep(this.#hot, sweep);
    if (isCutShort(sweep)) await this.#goOnFrom(sweep);
    await this.#hot.writer.settled();
  }

  /** Cells without a result are tried anew. Returns how many. */
  async rerun(sweep: Sweep, what: "failed" | "missing"): Promise<number> {
    const isCancelled = sweep.state === "cancelled";
    if (isCancelled && what === "failed") {
      throw new OccamError("bad-usage", `the sweep ${sweep.record.id} is cancelled`, {
        hint: "`occam rerun --missing` runs its failed and its cancelled cells, `occam resume` the cancelled ones alone",
      });
    }
    const { cancelled } = sweep.counts;
    if (isCutShort(sweep)) await this.#goOnFrom(sweep);
    const failed = await rerunQuarantined(this.#hot, sweep, (run) => this.#inTurn(run));
    if (failed + cancelled > 0) unpauseSweep(this.#hot, sweep);
    await this.#hot.writer.settled();
    return failed + cancelled;
  }

  /** Submits a sweep of older numbers anew. Returns that sweep itself when its cells are of today's. */
  async rerunStale(sweep: Sweep, submitter: string): Promise<Submitted> {
    const { specText, fileName, scope, id, require } = sweep.record;
    const spec = await this.#specOf(sweep);
    const [first] = await this.#hot.store.listCells({ sweepSeq: sweep.seq, states: [], idPrefix: "" }, -1, 1);
    if (first === undefined || spec.at(first.gridIndex)?.id === first.id)
      return { sweep, created: false, replaced: [] };
    const { priority, maxWorkers } = sweep;
    const noCache = scope !== "";
    // The same rerun again is the same sweep.
    const requestId = noCache ? `rerun of ${id} with numerics ${this.#hot.numericsVersion}` : "";
    const maxCells = LIMITS.sweepCells;
    return this.submit({ specText, fileName, noCache, requestId, priority, maxWorkers, require, maxCells, submitter });
  }

  async #cancelOthers(sweep: Sweep): Promise<readonly SweepId[]> {
    const { name, id } = sweep.record;
    const others = this.#hot.sweeps.all().filter((other) => other !== sweep && other.record.name === name);
    const running = others.filter((other) => other.state === "running");
    for (const other of running) {
      this.#inBackground(cancelCells(this.#hot, other, this.#isClosed));
      this.#hot.logger.info({ sweep: other.record.id, by: id }, "sweep replaced");
    }
    await this.#hot.writer.settled();
    return running.map((other) => other.record.id);
  }

  /** Takes up what an earlier run has left: cancels, expansions and resumes. Never throws. */
  goOn(): void {
    this.#inBackground(endCells(this.#hot, [...this.#unwanted()], this.#isClosed));
    for (const sweep of this.#hot.sweeps.all()) {
      if (sweep.state !== "running") continue;
      if (isCutShort(sweep)) void this.#goOnWith(sweep);
      else finishIfDone(this.#hot, sweep);
    }
  }

  /** Expansions stop at their next chunk and go on after the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([...this.#underWay.values(), ...this.#background]);
  }

  readonly #isClosed = (): boolean => this.#closed;

  /** What fails there has failed the writer, which everybody hears of. */
  #inBackground(work: Promise<void>): void {
    const done = work.catch(() => undefined).finally(() => this.#background.delete(done));
    this.#background.add(done);
  }

  /** Open cells of cancelled sweeps: their cancellation was cut short. */
  *#unwanted(): Generator<HotCell> {
    for (const cell of this.#hot.cells.all()) {
      if (isOpen(cell.life.state) && cell.sweeps.every((sweep) => sweep.state !== "running")) yield cell;
    }
  }

  async #goOnFrom(sweep: Sweep): Promise<void> {
    await this.#exclusively(sweep.record.id, async () => this.#resume(sweep, await this.#specOf(sweep)));
  }

  async #goOnWith(sweep: Sweep): Promise<void> {
    const { id } = sweep.record;
    try {
      await this.#exclusively(id, async () => {
        const spec = await this.#specOf(sweep);
        // Nobody has asked for it: a cancel that came in between stands.
        if (sweep.state === "running") await this.#resume(sweep, spec);
      });
    } catch (error) {
      this.#hot.logger.error({ sweep: id, err: error }, "an interrupted sweep cannot go on; submit it again");
    }
  }

  #specOf({ record: { specText, fileName } }: Sweep): Promise<ReadSpec> {
    return this.#hot.specs.read(specText, fileName);
  }

  async #read({ specText, fileName, noCache, requestId }: Submission): Promise<ReadSpec> {
    const bytes = Buffer.byteLength(specText);
    if (bytes > LIMITS.specBytes) {
      throw new OccamError("resource-exhausted", `the spec has ${bytes} bytes; the limit is ${LIMITS.specBytes}`, {
        where: fileName,
      });
    }
    if (`${fileName}${specText}`.includes("\0")) {
      throw new OccamError("bad-spec", "the spec holds a NUL character, which no text does", {
        where: cleanText(fileName),
        hint: "is it a text file in UTF-8?",
      });
    }
    if (noCache && requestId === "") {
      throw new OccamError("bad-usage", "a submission without the cache needs a request id", {
        hint: "give any text that is new for this run; repeat it when you repeat the request",
      });
    }
    return this.#hot.specs.read(specText, fileName);
  }

  /** One at a time for a sweep; the second waits for the first, and then finds the sweep there. */
  async #exclusively(id: string, run: () => Promise<void>): Promise<void> {
    const before = this.#underWay.get(id);
    if (before !== undefined) return before;
    const work = run();
    this.#underWay.set(id, work);
    try {
      await work;
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** A sweep that is known is answered all the same: its submission costs nothing. */
  #refuseUnderLoad(): void {
    const { overload, meter } = this.#hot;
    if (overload.now.level !== "refuse") return;
    meter.shed("submit");
    throw new OccamError(
      "resource-exhausted",
      "the coordinator has more to do than it can, and takes no new sweep now",
      {
        hint: "try again in a minute; what runs goes on",
      },
    );
  }

  /** Submits are the first to be refused under load; work that was taken goes on. */
  async #oneOfFew(run: () => Promise<void>): Promise<void> {
    if (this.#expanding >= LIMITS.submissions) {
      this.#hot.meter.shed("submit");
      throw new OccamError("resource-exhausted", `${this.#expanding} sweeps are being submitted at this moment`, {
        hint: "try again in a few seconds",
      });
    }
    this.#expanding += 1;
    try {
      await run();
    } finally {
      this.#expanding -= 1;
    }
  }

  #create(submission: Submission, spec: ReadSpec): Sweep {
    const { specText, fileName, noCache, requestId, traceparent } = submission;
    const { priority = 0, maxWorkers = 0, require = [], submitter = "" } = submission;
    const hot = this.#hot;
    const id = spec.id(noCache ? requestId : undefined);
    const sweep = hot.sweeps.add({
      seq: hot.sweeps.newSeq(),
      id,
      name: spec.name,
      scope: noCache ? id : "",
      state: "running",
      specText,
      fileName,
      createdMs: hot.clock.nowMs(),
      finishedMs: null,
      expandedTo: 0,
      expanded: false,
      paused: "",
      priority,
      maxWorkers,
      require,
      submitter,
    });
    sweep.traceparent = traceparent ?? "";
    hot.writer.write({ kind: "sweep-added", sweep: sweep.record });
    hot.logger.info({ sweep: id, points: spec.gridSize, noCache }, "sweep submitted");
    return sweep;
  }

  async #resume(sweep: Sweep, spec: ReadSpec): Promise<void> {
    if (sweep.state !== "running") {
      this.#hot.writer.write(sweep.resume());
      this.#hot.logger.info({ sweep: sweep.record.id }, "sweep goes on");
    }
    await resumeCells(this.#hot, sweep, (run) => this.#inTurn(run), this.#isClosed);
    await this.#expand(sweep, spec);
  }

  async #expand(sweep: Sweep, spec: ReadSpec): Promise<void> {
    const hot = this.#hot;
    let index = sweep.expandedTo;
    // Nothing is before the first.
    let before = index === 0 ? Promise.resolve() : hot.writer.settled();
    while (!sweep.expanded && index < spec.gridSize) {
      const points = await this.#chunkFrom(sweep, spec, index);
      index += points.cells.length;
      // The chunk before is stored: that a cell is in the sweep already is then seen, wherever the cell is.
      await before;
      if (sweep.state !== "running" || this.#closed) return;
      await this.#inTurn(() => admit(hot, sweep, points));
      // A small sweep is known whole, first grant and all, by one transaction.
      finishIfDone(hot, sweep);
      before = hot.writer.settled();
      hot.workerNews.work();
      await nextTurn();
    }
    await before;
    if (sweep.state !== "running" || this.#closed || sweep.expanded) return;
    // Only where every point was stored by a build that wrote the end by itself.
    hot.writer.write(sweep.expandedUpTo(spec.gridSize, true));
    finishIfDone(hot, sweep);
    await hot.writer.settled();
  }

  /** Points that are stored together, made a few milliseconds at a time. */
  async #chunkFrom(sweep: Sweep, spec: ReadSpec, first: number): Promise<Points> {
    const cells: (SpecCell | undefined)[] = [];
    const { clock } = this.#hot;
    const end = Math.min(spec.gridSize, first + LIMITS.expandChunk);
    let endMs = clock.monotonicMs() + LIMITS.expandSliceMs;
    for (let index = first; index < end; index += 1) {
      cells.push(this.#pointAt(sweep, spec, index));
      // To ask for the time costs a tenth of what a point costs.
      if (index % POINTS_AT_ONCE !== 0 || clock.monotonicMs() <= endMs) continue;
      await nextTurn();
      if (sweep.state !== "running" || this.#closed) break;
      endMs = clock.monotonicMs() + LIMITS.expandSliceMs;
    }
    return { first, cells, areLast: first + cells.length === spec.gridSize };
  }

  /** A point that cannot be made ends the sweep: a part of a grid is not what was asked for. */
  #pointAt(sweep: Sweep, spec: ReadSpec, index: number): SpecCell | undefined {
    try {
      return spec.at(index);
    } catch (error) {
      this.#inBackground(cancelCells(this.#hot, sweep, this.#isClosed));
      this.#hot.logger.error({ sweep: sweep.record.id, index, err: error }, "a point of the grid cannot be made");
      throw error instanceof OccamError ? error : new OccamError("bad-spec", messageOf(error), { cause: error });
    }
  }

  async #inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#chunks.then(run);
    this.#chunks = turn.catch(() => undefined);
    return turn;
  }
}

/** It was cancelled, or what was to bring all of its cells in was: by an error of a read, or the end of the process. */
function isCutShort(sweep: Sweep): boolean {
  if (sweep.state === "finished") return false;
  return sweep.state === "cancelled" || !sweep.expanded || sweep.counts.cancelled > 0;
}
