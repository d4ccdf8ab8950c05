/** The one place where a result becomes a cell's result, and where a second, different one is recorded. */
import type { CellId, LeaseToken, WorkerId } from "../../src/core/ids.ts";
import { invariant } from "../../src/core/errors.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import type { HotCell } from "../hot/cell-book.ts";
import { afterDurable, type Hot } from "../hot/hot.ts";
import { noteLine } from "../ingest/note-line.ts";
import type { ResultRecord } from "../store/change.ts";
import { finishIfDone } from "../sweep/finish.ts";
import { closeMember } from "./attempts.ts";
import { noteSuccess } from "./worker-trust.ts";

export interface Accepted {
  readonly workerId: WorkerId;
  readonly cellId: CellId;
  readonly token: LeaseToken;
  readonly json: string;
  readonly digest: string;
  readonly result: CellResult;
}

/** The cell has no result and was not cancelled. */
export function takeResult(hot: Hot, cell: HotCell, accepted: Accepted): void {
  const { token, workerId, digest, result } = accepted;
  const before = cell.life.state;
  const diverged = result.outcome === "diverged";
  invariant(hot.cells.apply(cell, { kind: "result", token, digest, diverged }), `cell ${cell.id} takes a result`);
  hot.writer.write(
    { kind: "result-committed", result: recordOf(hot, cell, accepted) },
    { kind: "attempt-ended", token, cellKey: cell.key, ended: "committed" },
  );
  closeMember(hot, token, cell.id, "committed");
  if ((before.kind === "leased" || before.kind === "running") && before.token !== token) {
    supersede(hot, cell, before.token);
  }
  hot.sessions.committed(workerId);
  noteSuccess(hot, workerId);
  for (const sweep of cell.sweeps) {
    sweep.firstFaults.trust();
    sweep.rate.add(hot.clock.monotonicMs());
    const { estimate, testLoss } = result;
    if (estimate?.verdict === "ok" && estimate.lambdaHat !== null) {
      sweep.lambda?.add({ cellId: cell.id, lambdaHat: estimate.lambdaHat, testLoss });
    }
    finishIfDone(hot, sweep);
  }
  hot.workerChanges.changed();
  afterDurable(hot, () => {
    hot.cells.evict(cell);
    hot.streams.forgetAttempt(cell.key, token);
  });
}

/** Another attempt runs what now has a result: its worker is told to stop. */
function supersede(hot: Hot, cell: HotCell, token: LeaseToken): void {
  hot.writer.write({ kind: "attempt-ended", token, cellKey: cell.key, ended: "superseded" });
  closeMember(hot, token, cell.id, "superseded", "another attempt of the cell was committed");
}

function recordOf(hot: Hot, cell: HotCell, accepted: Accepted): ResultRecord {
  const { token, workerId, digest, json, result } = accepted;
  return {
    cellKey: cell.key,
    token,
    workerId,
    digest,
    json,
    diverged: result.outcome === "diverged",
    verdict: result.estimate?.verdict ?? "",
    lambdaHat: result.estimate?.lambdaHat ?? null,
    testLoss: result.testLoss,
    committedMs: hot.clock.nowMs(),
  };
}

/** A second result of a committed cell that differs from the first: the cell did not reproduce. */
export function noteFinding(
  hot: Hot,
  { token, workerId, cellId }: Pick<Accepted, "token" | "workerId" | "cellId">,
  cellKey: number,
  { json, digest }: Pick<Accepted, "json" | "digest">,
  committedDigest: string,
): void {
  hot.logger.warn({ cell: cellId, lease: String(token), worker: workerId, digest, committedDigest }, "not reproduced");
  hot.writer.write({ kind: "finding-noted", cellKey, token, workerId, digest, json, notedMs: hot.clock.nowMs() });
  const message = `not reproduced: worker ${workerId} has a result with digest ${digest}, committed is ${committedDigest}`;
  noteLine(hot, { level: 3, cellKey, token, message });
}
