/** What is wrong with a sweep file: every problem, each with its place, and the one error that carries them all. */
import { OccamError } from "../core/errors.ts";
import { nearestOf } from "./nearest.ts";

/** One mistake of a sweep file. Lines and columns count from 1. */
export interface SpecProblem {
  readonly line: number;
  readonly column: number;
  /** What is wrong, with the offending value in it. */
  readonly message: string;
  /** What would be right: "one of tanh, relu, gelu", "an integer from 1 to 64". */
  readonly accepted?: string;
  /** The accepted word that looks most like the offending one. */
  readonly nearest?: string;
}

/** A sweep file that cannot be used. `problems` has all of its mistakes, in the order of the file. */
export class SpecError extends OccamError {
  readonly problems: readonly SpecProblem[];

  constructor(fileName: string, problems: readonly SpecProblem[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super("bad-spec", `${count} in ${fileName}\n${problems.map((each) => problemText(fileName, each)).join("\n")}`);
    this.problems = problems;
  }
}

/** `file:line:column: what is wrong`, then what is accepted and what was probably meant, each on a line of its own. */
function problemText(fileName: string, problem: SpecProblem): string {
  const lines = [`${fileName}:${problem.line}:${problem.column}: ${problem.message}`];
  if (problem.accepted !== undefined) lines.push(`    accepted: ${problem.accepted}`);
  if (problem.nearest !== undefined) lines.push(`    did you mean "${problem.nearest}"?`);
  return lines.join("\n");
}

/** A mistake at an offset of the text, as the readers report it. */
export interface Finding {
  readonly offset: number;
  readonly message: string;
  readonly accepted?: string;
  readonly nearest?: string;
}

/** More mistakes than this nobody reads; a hostile file could have one a byte, and each costs a look for what was meant. */
export const MOST_FINDINGS = 100;

/** Of one message: it may quote a name as long as the file. */
const MESSAGE_CHARS = 400;

/** Collects mistakes, so that one run reports all of them, or the first hundred. */
export class Findings {
  readonly #found: Finding[] = [];
  readonly #known = new Set<string>();
  #beyond = 0;

  /** Also of those that are not kept. */
  get count(): number {
    return this.#found.length + this.#beyond;
  }

  get isFull(): boolean {
    return this.#found.length >= MOST_FINDINGS;
  }

  get all(): readonly Finding[] {
    return this.#found;
  }

  add(offset: number, message: string, accepted?: string): void {
    this.#push({ offset, message, ...(accepted === undefined ? {} : { accepted }) });
  }

  /** A word that is none of the accepted ones: says which are, and which is nearest; returns that. */
  addUnknown(offset: number, message: string, word: string, accepted: readonly string[]): string | undefined {
    const nearest = this.isFull ? undefined : nearestOf(word, accepted);
    const text = accepted.length === 0 ? "none" : accepted.join(", ");
    this.#push({ offset, message, accepted: text, ...(nearest === undefined ? {} : { nearest }) });
    return nearest;
  }

  /** One text may be read for several variants; its mistake is one. */
  #push(given: Finding): void {
    if (this.isFull) {
      this.#beyond += 1;
      return;
    }
    const { message } = given;
    const finding =
      message.length <= MESSAGE_CHARS ? given : { ...given, message: `${message.slice(0, MESSAGE_CHARS)} …` };
    const key = `${finding.offset} ${finding.message}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#found.push(finding);
  }
}

/** A value as a message shows it: quoted when it is a text, and cut when it is long. */
export function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
