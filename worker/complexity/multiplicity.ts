/**
 * The multiplicity m by E4: the least-squares fit of t E_t[L - L0] = lambda - (m - 1)/ln t over three temperatures or more,
 * weighted by the estimates' errors (the free energy's asymptotics, Watanabe 2009, F = t L0 + lambda ln t - (m - 1) ln ln t,
 * differentiated by t). Pure.
 */
export interface EstimateAtT {
  readonly t: number;
  readonly lambdaHat: number;
  readonly lambdaSe: number;
}

export interface Multiplicity {
  readonly lambda: number;
  readonly multiplicity: number;
  readonly multiplicitySe: number;
}

const LEAST_TEMPERATURES = 3;

/** Undefined for fewer than three temperatures, or one of ln t <= 0. */
export function multiplicityOf(estimates: readonly EstimateAtT[]): Multiplicity | undefined {
  const usable = estimates.filter(({ t, lambdaSe }) => t > 1 && Number.isFinite(lambdaSe) && lambdaSe > 0);
  if (new Set(usable.map(({ t }) => t)).size < LEAST_TEMPERATURES) return undefined;
  const points = usable.map(({ t, lambdaHat, lambdaSe }) => ({ u: 1 / Math.log(t), y: lambdaHat, w: lambdaSe ** -2 }));
  const total = points.reduce((sum, { w }) => sum + w, 0);
  const centre = (of: (point: { u: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + point.w * of(point), 0) / total;
  const [meanU, meanY] = [centre(({ u }) => u), centre(({ y }) => y)];
  const spread = points.reduce((sum, { u, w }) => sum + w * (u - meanU) ** 2, 0);
  const slope = points.reduce((sum, { u, y, w }) => sum + w * (u - meanU) * (y - meanY), 0) / spread;
  return { lambda: meanY - slope * meanU, multiplicity: 1 - slope, multiplicitySe: 1 / Math.sqrt(spread) };
}
