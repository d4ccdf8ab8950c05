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
import { attemptInMemory, findAttempt, type FoundAttempt } from "./find-attempt.ts";
import { loadCheck } from "./late-check.ts";
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

/**
 * The cells of a fused shard end together. What is wrong with one of them refuses them all, before any is decided: their worker
 * sends them one by one then.
 * @throws OccamError "protocol" for a result that is none
 */
export async function commitAll(hot: Hot, commands: readonly CommitCommand[]): Promise<readonly CommitReply[]> {
  const check = await loadCheck();
  const results = commands.map(({ outcome }) => {
    if (outcome.kind !== "result") return undefined;
    return { sent: outcome, result: check(outcome.json, outcome.digest) };
  });
  const replies = commands.map((command, index) => decide(hot, command, results[index]));
  const decided = replies.every(isDecided) ? replies : await Promise.all(replies.map(async (reply) => reply));
  await hot.writer.settled();
  return decided;
}

/** Of a command that brings a result. */
interface Checked {
  readonly sent: SentResult;
  readonly result: CellResult;
}

const isDecided = (reply: CommitReply | Promise<CommitReply>): reply is CommitReply => !(reply instanceof Promise);

/** At once where all that it takes is in memory, as it mostly is: to wait costs more than to decide. */
function decide(hot: Hot, command: CommitCommand, checked: Checked | undefined): CommitReply | Promise<CommitReply> {
  const attempt = attemptInMemory(hot, command.token, command.cellId);
  const answer = attempt === undefined ? undefined : decideOn(hot, command, checked, attempt);
  return answer === undefined || answer instanceof Promise ? decideLater(hot, command, checked, answer) : answer;
}

async function decideLater(
  hot: Hot,
  command: CommitCommand,
  checked: Checked | undefined,
  first: Promise<CommitReply | undefined> | undefined,
): Promise<CommitReply> {
  const { token, cellId } = command;
  let answer = await first;
  for (let round = 0; answer === undefined && round < ROUNDS; round += 1) {
    answer = await decideOn(hot, command, checked, await findAttempt(hot, token, cellId));
  }
  invariant(answer !== undefined, `cell ${cellId} is neither in memory nor ended in the store`);
  return answer;
}

/** undefined: look again. */
function decideOn(
  hot: Hot,
  command: CommitCommand,
  checked: Checked | undefined,
  attempt: FoundAttempt | undefined,
): CommitReply | undefined | Promise<CommitReply | undefined> {
  const { outcome, token } = command;
  if (attempt?.workerId !== command.workerId) return NEVER_GRANTED;
  if (outcome.kind !== "result") return decideFault(hot, command, attempt, outcome);
  const missing = missingRecords(hot, attempt.cellKey, token, outcome);
  return typeof missing === "string"
    ? decideResult(hot, command, checked!, attempt, missing)
    : decideWhenRead(hot, command, checked!, attempt, missing);
}

async function decideWhenRead(
  hot: Hot,
  command: CommitCommand,
  checked: Checked,
  attempt: FoundAttempt,
  missing: Promise<string>,
): Promise<CommitReply | undefined> {
  return decideResult(hot, command, checked, attempt, await missing);
}

/**
 * Nothing waits from here to the write. undefined: look again.
 * @param missing records of the attempt that are not here yet, in words; "": none
 */
function decideResult(
  hot: Hot,
  command: CommitCommand,
  { sent, result }: Checked,
  attempt: FoundAttempt,
  missing: string,
): CommitReply | undefined {
  const { cellId, token, workerId } = command;
  const { cellKey, scope, stored } = attempt;
  const cell = hot.cells.get(scope, cellId) ?? restored(hot, attempt);
  if (cell === undefined) {
    if (stored?.state === "committed") return afterCommit(hot, command, cellKey, sent, stored.digest);
    return stored?.state === "cancelled" ? CANCELLED : undefined;
  }
  const { state } = cell.life;
  if (state.kind === "committed") return afterCommit(hot, command, cellKey, sent, state.digest);
  if (state.kind === "cancelled") return CANCELLED;
  if (missing !== "") return { outcome: "incomplete", detail: missing };
  const salvaged = !isUnder(state, token);
  takeResult(hot, cell, { workerId, cellId, token, json: sent.json, digest: sent.digest, result });
  return salvaged ? { outcome: "committed", detail: `salvaged: the cell was ${state.kind}` } : COMMITTED;
}

const NEVER_GRANTED: CommitReply = {
  outcome: "fenced",
  detail: "this worker was never granted this cell under this token",
};
const COMMITTED: CommitReply = { outcome: "committed", detail: "" };
const CANCELLED: CommitReply = { outcome: "fenced", detail: "the cell was cancelled" };

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
