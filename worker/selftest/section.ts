/** What the selftest is made of: sections of jobs. A job is the unit that one process runs, and gives rows of the table. */
import type { Row } from "../../src/selftest/row.ts";
import type { Engine } from "../engine/engine.ts";

/** What a job may use. */
export interface Bench {
  readonly engine: Engine;
  /** Shifts every seed. */
  readonly seed: number;
  /** Gradients of each chain in place of the sections' own, where the sampler has a budget. */
  readonly budget: number | undefined;
}

export interface Job {
  readonly name: string;
  run(bench: Bench): Promise<readonly Row[]>;
}

export interface Section {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Only with `--full`: takes long. */
  readonly long: boolean;
  readonly jobs: readonly Job[];
}
