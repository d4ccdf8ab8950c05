/**
 * Whose cells a worker gets: of the sweeps that it may serve, the highest priority first; within a priority the one with the
 * fewest operations running, so that each has an equal share of what runs, whatever its size; then the oldest. Pure.
 */

/** A sweep as its turn depends on it. */
export interface Standing {
  readonly seq: number;
  readonly priority: number;
  /** Operations of its leases that are still to do. */
  readonly runningFlops: number;
  /** Workers that have leases of it. */
  readonly workers: number;
  /** The most of them; 0: any number. */
  readonly maxWorkers: number;
  /** The asking worker is one of them. */
  readonly isServed: boolean;
  /** It is not paused, and the asking worker is what it requires. */
  readonly isOffered: boolean;
}

export function sweepOrder(sweeps: readonly Standing[]): readonly number[] {
  const eligible = sweeps.filter((sweep) => sweep.isOffered && !isFull(sweep));
  return eligible
    .sort(
      (left, right) => right.priority - left.priority || left.runningFlops - right.runningFlops || left.seq - right.seq,
    )
    .map((sweep) => sweep.seq);
}

/** Its workers are as many as it may have, and this would be one more. */
export function isFull({
  workers,
  maxWorkers,
  isServed,
}: Pick<Standing, "workers" | "maxWorkers" | "isServed">): boolean {
  return maxWorkers > 0 && workers >= maxWorkers && !isServed;
}
