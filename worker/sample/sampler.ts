/**
 * What a sampler is: a pure pair `init`, `step` over stacked chains (after blackjax). Members are cells x chains; tensors are
 * [K, ...shape] by parameter, settings [K, 1, ...] of the rank asked for.
 *
 * It samples p(w) ~ exp(-U), U = t L(w) + (gamma/2) |w - w0|^2: the posterior at inverse temperature t = n beta, localised
 * at w0 (Lau, Furman, Wang, Murfet, Wei, "The Local Learning Coefficient", arXiv 2308.12108).
 *
 * Ownership: a step returns new tensors and disposes nothing that it was given; the caller tidies.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";

export interface SamplerState {
  readonly position: readonly Tensor[];
  /** What a sampler carries from step to step besides the position, by parameter. */
  readonly carry: readonly Tensor[];
}

/** One number for each member, as [K, 1, ...] of this rank. */
export type PerMember = (rank: number) => Tensor;

export interface SamplerSettings {
  /** t = n beta */
  readonly t: PerMember;
  readonly gamma: PerMember;
  /** Step size. */
  readonly epsilon: PerMember;
}

export interface StepInputs {
  /** Estimate of grad L at the position. */
  readonly gradient: readonly Tensor[];
  /** w0 */
  readonly anchor: readonly Tensor[];
  /** Fresh standard normals. */
  readonly normal: readonly Tensor[];
  readonly settings: SamplerSettings;
  /** Square root of a diagonal preconditioner M, where the sampler takes one; none for M = 1. */
  readonly root?: readonly Tensor[];
}

export interface Sampler {
  /** @param normal fresh standard normals */
  init(tf: Tf, position: readonly Tensor[], normal: readonly Tensor[]): SamplerState;
  step(tf: Tf, state: SamplerState, inputs: StepInputs): SamplerState;
}
