/** What the chains of one posterior have done so far under HMC (`hmc.ts`), as it is counted, kept and reported. */
import type { Stack } from "../checkpoint/saved-value.ts";
import type { PointReading } from "./acceptance.ts";
import type { ChainRecord, Posterior } from "./posterior.ts";
import { firstStepSize, type StepSize } from "./step-size.ts";

/** What one chain has recorded so far. */
export interface Trace {
  readonly x: number[];
  readonly mean: number[];
  readonly displacement: number[];
  readonly virial: number[];
}

interface Counters {
  step: StepSize;
  acceptance: number;
  /** Sum of the squares of the energy errors that are finite, and their number. */
  energyErrors: number;
  measured: number;
  rejected: number;
  nonFinite: number;
  proposals: number;
  gradients: number;
  warmUp: number;
  /** Lowest x of a draw, and its weights; 0 while none was below w0. */
  lowest: number;
  best: readonly Float32Array[] | undefined;
}

/** What one posterior has done so far. */
export interface Progress extends Counters {
  readonly traces: readonly Trace[];
  isOpen: boolean;
}

/** An open posterior between two transitions. */
export interface HmcState {
  /** Of the whole run: gradients of each chain, and transitions. */
  readonly gradients: number;
  readonly transitions: number;
  readonly counters: Counters;
  readonly traces: readonly Readonly<Record<keyof Trace, Float64Array>>[];
  /** Of each chain. */
  readonly readings: readonly PointReading[];
  /** By parameter, [chains, ...shape]. The gradient there is computed again. */
  readonly position: readonly Stack[];
}

export function firstProgress({ epsilon }: Posterior, chains: number): Progress {
  return {
    step: firstStepSize(epsilon),
    traces: Array.from({ length: chains }, () => ({ x: [], mean: [], displacement: [], virial: [] })),
    acceptance: 0,
    energyErrors: 0,
    measured: 0,
    rejected: 0,
    nonFinite: 0,
    proposals: 0,
    gradients: 0,
    warmUp: 0,
    isOpen: true,
    lowest: 0,
    best: undefined,
  };
}

export function progressOf({ counters, traces }: HmcState): Progress {
  const numbers = ({ x, mean, displacement, virial }: HmcState["traces"][number]): Trace => ({
    x: [...x],
    mean: [...mean],
    displacement: [...displacement],
    virial: [...virial],
  });
  return { ...counters, best: counters.best, traces: traces.map(numbers), isOpen: true };
}

export function keptProgress({ traces, ...counters }: Progress): Pick<HmcState, "counters" | "traces"> {
  return {
    counters,
    traces: traces.map(({ x, mean, displacement, virial }) => ({
      x: Float64Array.from(x),
      mean: Float64Array.from(mean),
      displacement: Float64Array.from(displacement),
      virial: Float64Array.from(virial),
    })),
  };
}

export function recordOf(progress: Progress, batchRows: number): ChainRecord {
  const { proposals, step, energyErrors, measured } = progress;
  const of = (name: keyof Trace): readonly Float64Array[] =>
    progress.traces.map((trace) => Float64Array.from(trace[name]));
  return {
    x: of("x"),
    mean: of("mean"),
    coarse: [],
    halves: [],
    displacement: of("displacement"),
    virial: of("virial"),
    acceptance: proposals === 0 ? null : progress.acceptance / proposals,
    energyError: measured === 0 ? null : Math.sqrt(energyErrors / measured),
    rejected: progress.rejected,
    nonFinite: progress.nonFinite,
    epsilon: step.frozen,
    warmUp: progress.warmUp,
    best: progress.best,
    gradients: progress.gradients,
    batchRows,
    batches: 1,
  };
}
