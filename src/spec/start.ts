/**
 * Where cells start: which starts go with which data and architecture, and the weights that an architecture names. Realizable
 * data and the starts that are their truth need each other: without a start they have no targets, and beside targets of their
 * own a start would be no truth.
 */
import { fold, type RandomKey } from "../core/random.ts";
import type { Config, Start, StartWeights } from "../catalogue/entry.ts";
import { ARCHITECTURES, architectureOf, datasetOf } from "../catalogue/registry.ts";
import { seedKey, taskOf, type CellConfig, type TrainConfig } from "./cell.ts";

export interface StartProblem {
  /** The section that is to change. */
  readonly section: "train" | "data";
  readonly message: string;
  readonly accepted: string;
}

export function startOf({ start }: TrainConfig): Start {
  return start ?? "random";
}

/** Why cells of this architecture on these data cannot start so; undefined when they can. */
export function startProblem(architecture: Config, data: Config, start: Start): StartProblem | undefined {
  const needsStart = datasetOf(data).targets === "start";
  if (needsStart && start === "random") {
    const message = `${data.kind} data have no targets but the outputs of the network that a cell starts at, and a random start is no truth`;
    return { section: "data", message, accepted: `train.start: one of ${startsOf(architecture).join(", ")}` };
  }
  if (!needsStart && start !== "random") {
    const message = `train.start ${start} is the truth of realizable data, and ${data.kind} data have targets of their own`;
    return { section: "train", message, accepted: "random, or data of the kind realizable" };
  }
  if (startsOf(architecture).includes(start) || start === "random") return undefined;
  const kinds = ARCHITECTURES.filter(({ starts }) => starts?.[start as keyof typeof starts] !== undefined);
  return {
    section: "train",
    message: `train.start: ${architecture.kind} names no ${start} weights`,
    accepted: `teacher; ${start} for ${kinds.map(({ kind }) => kind).join(", ")}`,
  };
}

/** The starts of an architecture that are a truth. */
function startsOf(architecture: Config): readonly Start[] {
  const { starts = {} } = architectureOf(architecture);
  return [...(["canonical", "generic"] as const).filter((name) => starts[name] !== undefined), "teacher"];
}

/** The weights that a cell's architecture names for its start; undefined where it starts at its initial weights. */
export function namedStart(config: CellConfig): StartWeights | undefined {
  const { architecture, seed, train } = config;
  const start = startOf(train);
  if (start === "random" || start === "teacher") return undefined;
  return architectureOf(architecture).starts?.[start]?.(architecture, taskOf(config), startKey(seed));
}

/** The key of a generic start. */
export function startKey(seed: string): RandomKey {
  return fold(seedKey(seed), "generic-start");
}
