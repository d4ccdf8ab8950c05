/** From whatever was thrown to a text on standard error and an exit code. */
import { EXIT, EXIT_OF, messageOf, OccamError } from "../core/errors.ts";
import { nameOf, optionNames, type Command } from "./command.ts";
import { COMMANDS, GROUPS } from "./commands.ts";
import { complain, type Io } from "./io.ts";
import { nearestOf } from "../spec/nearest.ts";
import { kebab, type Settings } from "./settings.ts";
import { reportToSupervisor } from "./run/child-messages.ts";

/** Says what went wrong, to the user and to a supervising `occam run`. */
export async function reportFailure(error: unknown, io: Io): Promise<number> {
  const known = error instanceof OccamError ? error : undefined;
  const text = known?.toUserText() ?? unexpected(error);
  complain(io.err.paint("red", "error: ") + text);
  const code = known === undefined ? EXIT.internal : EXIT_OF[known.code];
  await reportToSupervisor({ type: "failed", code: known?.code ?? "internal", text });
  return code;
}

function unexpected(error: unknown): string {
  const stack = error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
  return `${stack}\n  This is a bug of Occam; please report it with the command that you ran.`;
}

/** A yargs message, with the nearest spelling and where a value came from. */
export function usageError(message: string, command: Command | undefined, settings: Settings): OccamError {
  const [first = message] = message.split("\n\n");
  const text = first.replaceAll(/\s*\n\s*/g, " ").trim();
  const help = command === undefined ? "occam --help" : `occam ${nameOf(command)} --help`;
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/.exec(text)?.[1];
  if (unknown !== undefined) {
    const names = [...new Set(unknown.split(", ").map((name) => kebab(name)))];
    return new OccamError("bad-usage", unknownText(names, command), {
      hint: `${suggestions(names, command)}See ${help}.`,
    });
  }
  return new OccamError("bad-usage", text, { hint: `${sources(text, command, settings)}See ${help}.` });
}

function unknownText(names: readonly string[], command: Command | undefined): string {
  if (command === undefined) return `unknown command "${names[0]}"`;
  return `unknown argument${names.length > 1 ? "s" : ""} ${names.map((name) => `"${name}"`).join(", ")}`;
}

function suggestions(names: readonly string[], command: Command | undefined): string {
  const candidates =
    command === undefined
      ? [...COMMANDS.map(nameOf), ...GROUPS.map(({ name }) => name), "completion"]
      : [...optionNames(command), "config", "help"];
  const close = names.flatMap((name) => nearestOf(name, candidates) ?? []);
  if (close.length === 0) return "";
  return `Did you mean ${close.map((name) => (command === undefined ? name : `--${name}`)).join(", ")}? `;
}

function sources(message: string, command: Command | undefined, settings: Settings): string {
  if (command === undefined) return "";
  const named = optionNames(command).filter((name) => message.includes(`Argument: ${name},`));
  const found = named.flatMap((name) => settings.sourceOf(name) ?? []);
  return found.length === 0 ? "" : `The value may come from ${found.join(", ")}. `;
}
