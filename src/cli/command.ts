/**
 * What a command is: data for yargs and one function. A command's file imports only light modules; what it needs to run it
 * loads when it runs, so that `occam version` does not pay for `occam run`.
 */
import type { Argv, InferredOptionTypes, Options } from "yargs";
import type { Io } from "./io.ts";
import { SETTINGS, type Settings } from "./settings.ts";

export type OptionSet = Readonly<Record<string, Options>>;

export interface Command {
  /** Name and positionals, as yargs writes them: "run <spec>". */
  readonly usage: string;
  /** The group that it belongs to: "store" of `occam store check`. */
  readonly group?: string;
  /** One line. */
  readonly summary: string;
  readonly positionals: OptionSet;
  readonly options: OptionSet;
  /** Options that have the name of a setting and are none here. */
  readonly noSettings?: readonly string[];
  /** Command lines (without "occam") with what each does. */
  readonly examples: readonly (readonly [command: string, description: string])[];
  readonly run: (args: never, io: Io) => Promise<number>;
}

/** Commands of one subject: `occam store check`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
}

type ArgsOf<P extends OptionSet, O extends OptionSet> = InferredOptionTypes<P> & InferredOptionTypes<O>;

/** Types a command's arguments from its own declarations. */
export function defineCommand<const P extends OptionSet, const O extends OptionSet>(command: {
  readonly usage: string;
  readonly group?: string;
  readonly summary: string;
  readonly positionals: P;
  readonly options: O;
  readonly noSettings?: readonly string[];
  readonly examples: Command["examples"];
  readonly run: (args: ArgsOf<P, O>, io: Io) => Promise<number>;
}): Command {
  return command;
}

/** What follows "occam". */
export const nameOf = ({ group, usage }: Command): string => [group ?? [], usage.split(" ")[0]!].flat().join(" ");

/** Names of all that a command takes after `--`. */
export const optionNames = (command: Command): readonly string[] => Object.keys(command.options);

/** Declares a command's arguments and lays its settings (environment over file) below the flags. */
export function buildArguments(yargs: Argv, command: Command, settings: Settings): Argv {
  for (const [name, option] of Object.entries(command.positionals)) yargs.positional(name, option as never);
  yargs.options(command.options as Record<string, Options>);
  const own = Object.keys(command.options).filter(
    (name) => SETTINGS.includes(name) && command.noSettings?.includes(name) !== true,
  );
  yargs.config(settings.valuesOf(own));
  for (const [line, description] of command.examples) yargs.example(`occam ${line}`, description);
  return yargs;
}
