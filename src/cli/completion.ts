/** Shell completion of sweep ids, asked of the coordinator; silent and quick when there is none. */
import type { Io } from "./io.ts";
import { findToken } from "./token.ts";
import { variableOf } from "./settings.ts";

/** A shell waits this long for an answer, at the most. */
const DEADLINE_MS = 400;

/** Commands whose first positional is a sweep. */
const WITH_SWEEP = new Set(["status", "watch", "logs", "results", "cancel"]);

type Filter = (done: (error: Error | null, completions: string[] | undefined) => void) => void;

/** yargs' fallback completion function: sweep ids where a sweep is due, else what yargs knows by itself. */
export function completeSweeps(io: Io, words: readonly string[]) {
  return (current: string, _argv: unknown, byDefault: Filter, done: (completions: string[]) => void): void => {
    const line = words.slice(words.indexOf("--get-yargs-completions") + 1);
    const command = line.find((word) => WITH_SWEEP.has(word));
    if (command === undefined || current.startsWith("-")) return byDefault((_error, found) => done(found ?? []));
    void answer(io, current, done);
  };
}

async function answer(io: Io, current: string, done: (completions: string[]) => void): Promise<void> {
  let ids: readonly string[] = [];
  try {
    ids = await sweepIds(io);
  } catch {
    // No coordinator, or none that knows us: nothing to complete.
  }
  done(ids.filter((id) => id.startsWith(current)));
}

async function sweepIds(io: Io): Promise<readonly string[]> {
  const token = findToken(io.env[variableOf("token-file")], io);
  if (token === undefined) return [];
  const { openOperator } = await import("./operator.ts");
  const operator = openOperator(io.env["OCCAM_COORDINATOR"] ?? "127.0.0.1:7171", token, io.clock);
  try {
    return (await operator.sweeps(DEADLINE_MS)).map(({ sweepId }) => sweepId);
  } finally {
    operator.close();
  }
}
