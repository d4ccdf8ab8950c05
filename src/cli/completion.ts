/**
 * Shell completion of sweep ids, asked of the coordinator; silent and quick when there is none. All else yargs completes by
 * itself. It is done before yargs sees the line, because yargs does not wait for an answer inside of a command.
 */
import type { Io } from "./io.ts";
import { connectionOptions } from "./options.ts";
import { settingsOf } from "./settings.ts";
import { findToken } from "./token.ts";

/** A shell waits this long for an answer, at the most. */
const DEADLINE_MS = 400;

/** What the completion script calls the command with, before the words of the line. */
const REQUEST = "--get-yargs-completions";

/** Commands whose first positional is a sweep. */
const WITH_SWEEP = new Set(["status", "watch", "logs", "results", "cancel"]);

/** The word that is being typed, when a sweep is due there: "occam watch di". */
export function sweepPrefix(argv: readonly string[]): string | undefined {
  const [request, , command, ...rest] = argv;
  if (request !== REQUEST || command === undefined || !WITH_SWEEP.has(command)) return undefined;
  return rest.length === 1 && !rest[0]!.startsWith("-") ? rest[0] : undefined;
}

/** One id a line. */
export async function completeSweeps(prefix: string, io: Io): Promise<void> {
  let ids: readonly string[] = [];
  try {
    ids = await sweepIds(io);
  } catch {
    // No coordinator, or none that knows us: nothing to complete.
  }
  for (const id of ids.filter((candidate) => candidate.startsWith(prefix))) await io.out.write(`${id}\n`);
}

async function sweepIds(io: Io): Promise<readonly string[]> {
  const settings = settingsOf([], io.env, io.cwd).valuesOf(Object.keys(connectionOptions));
  const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
  const token = findToken(textOf(settings["token-file"]), io);
  if (token === undefined) return [];
  const { openOperator } = await import("./operator.ts");
  const { clientTls } = await import("./tls.ts");
  const paths = { "tls-cert": textOf(settings["tls-cert"]), "tls-key": textOf(settings["tls-key"]) };
  const target = {
    address: textOf(settings["coordinator"]) ?? connectionOptions.coordinator.default,
    token,
    tls: clientTls({ "tls-ca": textOf(settings["tls-ca"]), ...paths }, io),
    allowPlaintext: String(settings["allow-plaintext"]) === "true",
  };
  const operator = openOperator(target, io.clock);
  try {
    return (await operator.sweeps(DEADLINE_MS)).map(({ sweepId }) => sweepId);
  } finally {
    operator.close();
  }
}
