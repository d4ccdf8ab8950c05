/** One part of the benchmark: what `--only` selects. */
import type { Engine } from "../../worker/engine/engine.ts";
import type { Measurement } from "./measurement.ts";

export interface Part {
  readonly name: string;
  /** One line for --help. */
  readonly summary: string;
  /** The rows of its table; or, as a sentence, why it cannot be measured here. */
  run(engine: Engine): Promise<readonly Measurement[] | { readonly skipped: string }>;
}
