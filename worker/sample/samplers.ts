/**
 * The minibatch samplers by name. `noise-averaged` is what estimates are made with; the others are the published ones, with the
 * defaults of devinterp, the reference implementation of Lau et al., arXiv 2308.12108.
 */
import { rmspropSgld } from "./rmsprop-sgld.ts";
import type { Sampler } from "./sampler.ts";
import { sgld } from "./sgld.ts";
import { sgnht } from "./sgnht.ts";

export type SamplerName = "sgld" | "rmsprop-sgld" | "sgnht" | "noise-averaged";

export interface SamplerEntry {
  readonly sampler: Sampler;
  /** Gradients are given corrected by control variates (`batch-pool.ts`); the published samplers take them as they come. */
  readonly controlVariates: boolean;
  /** eps where nobody says another; null: what the curvature at w0 allows. */
  readonly learningRate: number | null;
}

/** Of all samplers of devinterp. */
const PUBLISHED_LEARNING_RATE = 0.01;

export const SAMPLERS: Readonly<Record<SamplerName, SamplerEntry>> = {
  sgld: { sampler: sgld("classic"), controlVariates: false, learningRate: PUBLISHED_LEARNING_RATE },
  "rmsprop-sgld": { sampler: rmspropSgld(), controlVariates: false, learningRate: PUBLISHED_LEARNING_RATE },
  sgnht: { sampler: sgnht(), controlVariates: false, learningRate: PUBLISHED_LEARNING_RATE },
  "noise-averaged": { sampler: sgld("noise-averaged"), controlVariates: true, learningRate: null },
};
