/**
 * The end of an attempt, told by its worker: a result, a failure or a hand-back. Idempotent, and answered after the write is
 * durable.
 *
 * A result is taken exactly once for a cell, from whichever attempt brings it first: a late one of a cell that still has none
 * is salvaged, for the work is paid for and a cell is a pure function. Once there is a result, an equal one is a duplicate and
 * a different one a finding.
 */
import { invariant } from "../../src/core/errors.ts";
import type { CellId, LeaseToken, SessionId, WorkerId } from "../../src/core/ids.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import type { HotCell } from "../hot/cell-book.ts";
import type { Hot } from "../hot/hot.ts";
import { cleanText } from "../ingest/clean-text.ts";
import { missingRecords, type SentCounts } from "../ingest/missing-records.ts";
import { LIMITS } from "../limits.ts";
import { endAttempt } from "./attempts.ts";
import { isUnder } from "./cell-state.ts";
import { checkResult } from "./check-result.ts";
import { findAttempt, type FoundAttempt } from "./find-attempt.ts";
import { noteFinding, takeResult } from "./take-result.ts";

export type Fault = "failed" | "out-of-memory" | "lost" | "handed-back";

export interface SentResult extends SentCounts {
  readonly kind: "result";
  readonly json: string;
  readonly digest: string;
}

export interface CommitCommand {
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly cellId: CellId;
  readonly token: LeaseToken;
  readonly outcome: SentResult | { readonly kind: Fault; readonly reason: string };
}

export type CommitOutcome = "committed" | "duplicate-same" | "duplicate-different" | "fenced" | "incomplete" | "noted";

export interface CommitReply {
  readonly outcome: CommitOutcome;
  readonly detail: string;
}

/** Looks at store and memory are repeated this often when the cell moves between them; once is what ever happens. */
const ROUNDS = 10;

export async function commit(hot: Hot, command: CommitCommand): Promise<CommitReply> {
  const { outcome, token, cellId } = command;
  const result = outcome.kind === "result" ? checkResult(outcome.json, outcome.digest) : undefined;
  for (let round = 0; round < ROUNDS; round += 1) {
    const attempt = await findAttempt(hot, token, cellId);
    const known = attempt?.workerId === command.workerId ? attempt : undefined;
    const answer =
      known === undefined
        ? { outcome: "fenced" as const, detail: "this worker was never granted this cell under this token" }
        : outcome.kind === "result"
          ? await decideResult(hot, command, known, outcome, result!)
          : decideFault(hot, command, known, outcome);
    if (answer !== undefined) {
      await hot.writer.settled();
      return answer;
    }
  }
  invariant(false, `cell ${cellId} is neither in memory nor ended in the store`);
}

/** undefined: look again. */
async function decideResult(
  hot: Hot,
  command: CommitCommand,
  attempt: FoundAttempt,
  sent: SentResult,
  result: CellResult,
): Promise<CommitReply | undefined> {
  const { cellKey, scope, stored } = attempt;
  const missing = await missingRecords(hot, { cellKey, token: command.token }, sent);
  // From here to the write nothing waits.
  const cell = hot.cells.get(scope, command.cellId) ?? restored(hot, attempt);
  if (cell === undefined) {
    if (stored?.state === "committed") return afterCommit(hot, command, cellKey, sent, stored.digest);
    return stored?.state === "cancelled" ? { outcome: "fenced", detail: "the cell was cancelled" } : undefined;
  }
  const { state } = cell.life;
  if (state.kind === "committed") return afterCommit(hot, command, cellKey, sent, state.digest);
  if (state.kind === "cancelled") return { outcome: "fenced", detail: "the cell was cancelled" };
  if (missing !== "") return { outcome: "incomplete", detail: missing };
  const salvaged = !isUnder(state, command.token);
  takeResult(hot, cell, { ...command, json: sent.json, digest: sent.digest, result });
  return { outcome: "committed", detail: salvaged ? `salvaged: the cell was ${state.kind}` : "" };
}

/** A quarantined cell comes back into memory to take a late result. */
function restored(hot: Hot, { stored }: FoundAttempt): HotCell | undefined {
  return stored?.state === "quarantined" ? hot.cells.restore(stored, hot.sweeps.bySeqs(stored.sweeps)) : undefined;
}

function afterCommit(hot: Hot, command: CommitCommand, cellKey: number, sent: SentResult, digest: string): CommitReply {
  if (sent.digest === digest) return { outcome: "duplicate-same", detail: "" };
  noteFinding(hot, command, cellKey, sent, digest);
  return { outcome: "duplicate-different", detail: `the committed result has digest ${digest}` };
}

/** undefined: look again. */
function decideFault(
  hot: Hot,
  command: CommitCommand,
  attempt: FoundAttempt,
  { kind, reason }: { readonly kind: Fault; readonly reason: string },
): CommitReply | undefined {
  const { token, cellId } = command;
  const cell = hot.cells.get(attempt.scope, cellId);
  if (cell !== undefined && isUnder(cell.life.state, token)) {
    applyFault(hot, cell, command, kind, cleanText(reason.slice(0, LIMITS.reasonChars)));
    return { outcome: "noted", detail: "" };
  }
  const ended = hot.leases.get(token)?.members.get(cellId)?.ended ?? attempt.ended;
  if (ended === kind) return { outcome: "noted", detail: "noted before" };
  if (ended === undefined && cell === undefined && attempt.stored?.state === "pending") return undefined;
  return { outcome: "fenced", detail: `the attempt has ended: ${ended ?? "its cell has a result"}` };
}

function applyFault(
  hot: Hot,
  cell: HotCell,
  { token, workerId: worker }: CommitCommand,
  kind: Fault,
  reason: string,
): void {
  const lease = hot.leases.get(token);
  hot.logger.info({ cell: cell.id, lease: String(token), kind, reason }, "attempt ended without a result");
  const why = reason === "" ? "no reason was given" : reason;
  endAttempt(hot, cell, { kind, token, worker, width: lease?.width ?? 1, reason: why });
}
