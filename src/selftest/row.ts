/** One line of the selftest's table: what was read, what is true, and whether the gate between them holds. */
import type { Verdict } from "../result/cell-result.ts";

/** What an estimate said, as far as a gate reads it. */
export interface Reading {
  /** null where there is none. */
  readonly estimate: number | null;
  readonly se: number | null;
  /** "" where nothing was sampled. */
  readonly verdict: Verdict | "";
  /** The numbers behind the verdict. */
  readonly reason: string;
}

export interface Row {
  readonly name: string;
  /** Rows of one group are summed up together (`ensemble-figures.ts`); "" where they are not. */
  readonly group: string;
  readonly truth: number | null;
  readonly estimate: number | null;
  readonly se: number | null;
  /** (estimate - truth) / se */
  readonly z: number | null;
  readonly verdict: string;
  /** What is asked for, in words. */
  readonly gate: string;
  readonly passed: boolean;
  /** Why not; or what else is to be said. */
  readonly note: string;
}

/** A row with where and at what cost it was made. */
export interface TimedRow extends Row {
  readonly section: string;
  /** Processor time of its job, shared by the job's rows. */
  readonly cpuMs: number;
}
