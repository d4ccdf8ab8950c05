/** The root: parses a command line, runs its command, and turns every failure into one text and one exit code. */
import yargs, { type Argv } from "yargs";
import { EXIT, OccamError } from "../core/errors.ts";
import { PACKAGE_VERSION } from "../core/version.ts";
import { buildArguments, nameOf, type Command, type CommandGroup } from "./command.ts";
import { COMMANDS, GROUPS } from "./commands.ts";
import { completeSweeps, sweepPrefix } from "./completion.ts";
import { reportFailure, usageError } from "./failure.ts";
import { widthOf, type Io } from "./io.ts";
import { settingsOf } from "./settings.ts";

/** Lines longer than this are hard to read. */
const MAX_COLUMNS = 100;

/** One line a paragraph: yargs wraps. */
const EPILOGUE = [
  "Settings come from a flag, else OCCAM_<NAME> (OCCAM_BACKEND, OCCAM_COORDINATOR, ...), else the config file (--config, " +
    "OCCAM_CONFIG, or ./occam.config.yaml or .json), else the default. OCCAM_TOKEN holds the token itself.",
  "",
  "Exit codes:",
  "  0   done",
  "  1   internal error; a gate of the selftest failed",
  "  3   some cells have no result",
  "  64  bad command line or sweep file",
  "  69  the coordinator cannot be reached",
  "  75  stopped on request; the same command goes on",
  "  77  no token, the wrong one, or one without the role",
  "  78  bad configuration or store, or versions too far apart",
].join("\n");

interface Session {
  exitCode: number;
  command: Command | undefined;
}

/** Runs one command line and gives its exit code; it never throws. */
export async function runCli(argv: readonly string[], io: Io): Promise<number> {
  const session: Session = { exitCode: EXIT.ok, command: undefined };
  try {
    const prefix = sweepPrefix(argv);
    if (prefix !== undefined) {
      await completeSweeps(prefix, io);
      return EXIT.ok;
    }
    await build(argv, io, session).parseAsync();
    return session.exitCode;
  } catch (error) {
    return reportFailure(error, io);
  }
}

function build(argv: readonly string[], io: Io, session: Session): Argv {
  const settings = settingsOf(argv, io.env, io.cwd);
  const root = yargs([...argv], io.cwd)
    .scriptName("occam")
    .locale("en")
    .usage(
      "$0 <command> [options]\n\nMeasures how simple the solutions are that training finds, over sweeps of networks.",
    )
    .parserConfiguration({ "boolean-negation": false, "dot-notation": false, "duplicate-arguments-array": false })
    .option("config", { type: "string", requiresArg: true, global: true, describe: "Config file, YAML or JSON" })
    .wrap(widthOf(io.out, MAX_COLUMNS))
    .version(PACKAGE_VERSION)
    .help()
    .alias("h", "help")
    .epilogue(EPILOGUE)
    .strict()
    .demandCommand(1, "Which command?")
    .exitProcess(false)
    .fail((message: string | null, error: unknown) => {
      if (error instanceof OccamError) throw error;
      if (message === null || message === "") throw error;
      throw usageError(message, session.command, settings);
    });
  withoutUnaskedHelp(root);
  for (const command of COMMANDS) install(root, command, io, session, settings);
  for (const group of GROUPS) installGroup(root, group, io, session, settings);
  return root.completion("completion", "Print a shell completion script (bash, zsh)");
}

/**
 * While a command runs, yargs lays out its help for callers that ask for the text later, which takes 40 ms and nobody does here.
 * It has no option for that; without this method of its own it would be slower and nothing else.
 */
function withoutUnaskedHelp(root: Argv): void {
  const internals = root as unknown as { getInternalMethods?(): { getUsageInstance?(): object } };
  const usage = internals.getInternalMethods?.().getUsageInstance?.();
  if (usage !== undefined && "cacheHelpMessage" in usage) usage.cacheHelpMessage = () => undefined;
}

function installGroup(
  root: Argv,
  { name, summary, commands }: CommandGroup,
  io: Io,
  session: Session,
  settings: ReturnType<typeof settingsOf>,
): void {
  const builder = (yargs: Argv): Argv => {
    for (const command of commands) install(yargs, command, io, session, settings);
    return yargs.usage(`occam ${name} <command>\n\n${summary}`).demandCommand(1, `Which command of ${name}?`);
  };
  root.command({ command: name, describe: summary, builder, handler: () => undefined });
}

function install(
  root: Argv,
  command: Command,
  io: Io,
  session: Session,
  settings: ReturnType<typeof settingsOf>,
): void {
  root.command({
    command: command.usage,
    describe: command.summary,
    builder: (yargs: Argv) => {
      session.command = command;
      return buildArguments(yargs, command, settings).usage(
        `occam ${[nameOf(command), ...command.usage.split(" ").slice(1)].join(" ")}\n\n${command.summary}`,
      );
    },
    handler: async (args) => {
      session.exitCode = await command.run(args as never, io);
    },
  });
}
