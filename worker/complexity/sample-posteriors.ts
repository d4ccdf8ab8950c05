/**
 * The chains of an estimate: adjusted HMC on a fixed subset (tier A), Langevin with its bias under control (tier B), or a sampler
 * of the literature, for all posteriors beside each other.
 *
 * Chains of tier B that are not finite are sampled again from the start with a quarter of the step, twice at the most; no partial
 * chain is averaged. What a posterior's memory has is not sampled again.
 */
import type { EstimateConfig } from "../../src/spec/cell.ts";
import type { Sampling } from "../../src/spec/sampling.ts";
import type { Pieces, Piece } from "../checkpoint/cell-memory.ts";
import type { Pace } from "../engine/pace.ts";
import type { HmcState } from "../sample/hmc-progress.ts";
import { sampleByHmc } from "../sample/hmc.ts";
import { sampleByLangevin } from "../sample/langevin-run.ts";
import type { LangevinState } from "../sample/langevin-state.ts";
import type { ChainRecord, Posterior } from "../sample/posterior.ts";
import { SAMPLERS } from "../sample/samplers.ts";
import type { Surface } from "../sample/surface.ts";
import type { SurfaceEvents } from "./estimate-surface.ts";
import { summarise } from "./summary.ts";
import { convergenceDoubts } from "./verdict.ts";

/** What is sampled, and where what was sampled of it is kept. */
export interface Asked {
  readonly posterior: Posterior;
  /** Which of its cell's curve points it is. */
  readonly point: number;
  readonly memory: Pieces;
}

export interface SamplingBench {
  readonly surface: Surface;
  readonly config: EstimateConfig;
  readonly sampling: Sampling;
  /** Of each cell of the surface: its fixed subset. */
  readonly rows: readonly Int32Array[];
  readonly events: SurfaceEvents;
  readonly pace: Pick<Pace, "turn">;
}

/** Times that a cell is sampled again, each with a quarter of the step. */
const RETRIES = 2;

/** One record each, in their order. */
export function samplePosteriors(bench: SamplingBench, asked: readonly Asked[]): Promise<readonly ChainRecord[]> {
  return bench.sampling.kind === "adjusted" ? byHmc(bench, asked) : byLangevin(bench, asked);
}

function byHmc({ surface, config, rows, events, pace }: SamplingBench, asked: readonly Asked[]) {
  const { chains, budget, trajectory, tolerance, stepSize } = config;
  const plan = { chains, budget, trajectory, fixedStep: stepSize > 0, rows };
  const isDone = (record: ChainRecord): boolean => {
    const { rHat, essMean, halvesZ, lambdaHat } = summarise(record, surface.dimension, 1);
    return convergenceDoubts({ rHat, ess: essMean, chains, halvesZ, lambdaHat, tolerance }).length === 0;
  };
  const onTransition = (gradients: number): void => events.progress(gradients, budget);
  return allOf<HmcState>("chains", asked, (posteriors, pieces) =>
    sampleByHmc(surface, posteriors, plan, { isDone, onTransition }, pace, pieces),
  );
}

async function byLangevin(bench: SamplingBench, asked: readonly Asked[]): Promise<readonly ChainRecord[]> {
  const records: (ChainRecord | undefined)[] = asked.map(() => undefined);
  let open = asked.map((own, index) => ({ own, index, spent: 0 }));
  for (let retry = 0; open.length > 0; retry += 1) {
    const sampled = await langevin(bench, open.map(({ own }) => own), retry); // prettier-ignore
    const again: typeof open = [];
    open.forEach(({ own, index, spent }, i) => {
      const record = sampled[i]!;
      const gradients = spent + record.gradients;
      if (record.nonFinite > 0 && retry < RETRIES && bench.sampling.kind === "corrected") {
        const epsilon = own.posterior.epsilon / 4;
        const message = `${record.nonFinite} draws were not finite: sampled again with step ${epsilon}`;
        bench.events.log(own.posterior.cell, message, { epsilon });
        again.push({ own: { ...own, posterior: { ...own.posterior, epsilon } }, index, spent: gradients });
      } else records[index] = { ...record, gradients };
    });
    open = again;
  }
  return records.map((record) => record!);
}

function langevin({ surface, config, sampling, events, pace }: SamplingBench, asked: readonly Asked[], retry: number) {
  const { kind, warmUp, draws, thin } = sampling;
  const { chains, batch, sampler } = config;
  const ours = kind === "corrected";
  const entry = SAMPLERS[ours || sampler === "tiered" || sampler === "none" ? "noise-averaged" : sampler];
  const plan = {
    sampler: entry.sampler,
    averages: ours,
    chains,
    warmUp,
    draws,
    thin,
    batch,
    corrects: ours,
    preconditions: ours && config.stepSize === 0,
    halfSteps: ours,
  };
  const onStep = (step: number, steps: number): void => events.progress(step, steps);
  return allOf<LangevinState>(`chains.${retry}`, asked, (posteriors, pieces) =>
    sampleByLangevin(surface, posteriors, plan, onStep, pace, pieces),
  );
}

/** Records of all: those that are remembered, and those that `sample` makes of the others. */
async function allOf<S extends object>(
  family: string,
  asked: readonly Asked[],
  sample: (
    posteriors: readonly Posterior[],
    pieces: readonly Piece<S, ChainRecord>[],
  ) => Promise<readonly ChainRecord[]>,
): Promise<readonly ChainRecord[]> {
  const each = asked.map(({ posterior, point, memory }) => ({
    posterior,
    piece: memory.piece<S, ChainRecord>(family, point),
  }));
  const open = each.filter(({ piece }) => piece.result === undefined);
  const sampled = await sample(open.map(({ posterior }) => posterior), open.map(({ piece }) => piece)); // prettier-ignore
  return each.map((own) => own.piece.result ?? sampled[open.indexOf(own)]!);
}
