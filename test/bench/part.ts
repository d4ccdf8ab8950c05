/** One part of the benchmark: what `--only` selects. */
import type { Engine } from "../../worker/engine/engine.ts";
import type { Measurement } from "./measurement.ts";

/** The rows of its table; or, as a sentence, why it cannot be measured here. */
type Outcome = readonly Measurement[] | { readonly skipped: string };

interface Described {
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
}

/** Of this process's engine. */
export interface EnginePart extends Described {
  readonly needsEngine?: true;
  run(engine: Engine): Promise<Outcome>;
}

export interface ProcessPartOptions {
  readonly long: boolean;
  /** Groups of rows whose names have one of these in them; none: all. */
  readonly groups: readonly string[];
  /** Names the group that is measured. */
  readonly say: (group: string) => void;
}

/** Of processes that it starts itself. */
export interface ProcessPart extends Described {
  readonly needsEngine: false;
  run(options: ProcessPartOptions): Promise<Outcome>;
}

export type Part = EnginePart | ProcessPart;
