/** Metropolis's acceptance of the points of a trajectory (`hmc.ts`). Pure. */

/** One point of a trajectory of one lane. */
export interface PointReading {
  readonly x: number;
  /** H - t L less that of the trajectory's start. */
  readonly rest: number;
  /** |w - w0| */
  readonly displacement: number;
  /** (w - w0) . grad U */
  readonly virial: number;
}

/** H at a point of a trajectory less H at its start. */
export const energyError = ({ x, rest }: PointReading, start: PointReading): number => x - start.x + rest;

/** a x + (1 - a) x0, with a the probability of accepting this point. */
export function expectedX(point: PointReading, start: PointReading): number {
  const acceptance = acceptanceOf(energyError(point, start));
  return acceptance === 0 ? start.x : acceptance * point.x + (1 - acceptance) * start.x;
}

export const acceptanceOf = (deltaH: number): number => (Number.isFinite(deltaH) ? Math.exp(Math.min(0, -deltaH)) : 0);
