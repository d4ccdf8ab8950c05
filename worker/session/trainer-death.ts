/** What the end of a trainer process means for the cells that it ran. */
import type { FailureName } from "../../src/wire/enums.ts";

export interface TrainerDeath {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last of what it wrote to standard error. */
  readonly stderrTail: string;
}

export interface DeathFailure {
  readonly failure: FailureName;
  readonly reason: string;
}

/** V8 ends with this text and SIGABRT when its heap is full. */
const HEAP_FULL = /heap out of memory|Allocation failed/;
/** Of the tail in a reason: what a person reads of a stack. */
const REASON_CHARS = 1_500;

/**
 * A full heap is out-of-memory; an exit code of its own is an error, with what it said; a signal from outside (a segfault,
 * the kernel's memory killer, an operator) says nothing about the cells: they are lost, and others may run them.
 */
export function failureOf({ exitCode, signal, stderrTail }: TrainerDeath): DeathFailure {
  const tail = stderrTail.trim().slice(-REASON_CHARS);
  const said = tail === "" ? "" : `: ${tail}`;
  if (HEAP_FULL.test(stderrTail)) {
    return { failure: "out-of-memory", reason: `the trainer's heap was full${said}` };
  }
  if (signal !== null) {
    const hint = signal === "SIGKILL" ? " (by the kernel, if the machine ran out of memory)" : "";
    return { failure: "lost", reason: `the trainer was killed by ${signal}${hint}${said}` };
  }
  return { failure: "error", reason: `the trainer ended with exit code ${exitCode ?? "none"}${said}` };
}
