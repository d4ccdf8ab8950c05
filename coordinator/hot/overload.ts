/**
 * What makes way when the process has had too much to do for a while, beside watches and tails, whose intervals follow the load of the
 * moment: first the next syncs are put off, then submissions are refused. Renewals and commits are never shed. Pure.
 *
 * Invariants:
 * 1. A level is entered after so many looks in a row at a load of ENTER or more, and all are left together after LEAVE_LOOKS in a row
 *    at LEAVE or less; a load between the two changes nothing: nothing flaps.
 * 2. A look at a load that the expansion of a sweep makes is none: it ends by itself, and who submits two sweeps one after the other
 *    is not to be refused the second.
 */
const ENTER = 0.9;
const LEAVE = 0.7;

/** Looks come once a tick, a second. */
export const STRETCH_LOOKS = 5;
export const REFUSE_LOOKS = 30;
export const LEAVE_LOOKS = 5;

export interface Overload {
  readonly level: "none" | "stretch" | "refuse";
  /** Looks in a row at ENTER or more. */
  readonly busy: number;
  /** Looks in a row at LEAVE or less. */
  readonly calm: number;
}

export const NO_OVERLOAD: Overload = Object.freeze({ level: "none", busy: 0, calm: 0 });

export function afterLook({ level, ...before }: Overload, load: number): Overload {
  const busy = load >= ENTER ? before.busy + 1 : 0;
  const calm = load <= LEAVE ? before.calm + 1 : 0;
  if (calm >= LEAVE_LOOKS) return NO_OVERLOAD;
  if (busy >= REFUSE_LOOKS) return { level: "refuse", busy, calm };
  if (busy >= STRETCH_LOOKS && level === "none") return { level: "stretch", busy, calm };
  return { level, busy, calm };
}

/** Workers spread their syncs over 1 +- this. */
const SPREAD = 0.2;

/**
 * Until the next sync: twice the heartbeat under overload, and with the spread no more than a third of the ttl, so that two syncs in
 * a row may be lost.
 */
export function nextSyncMs({ level }: Overload, heartbeatMs: number, leaseTtlMs: number): number {
  if (level === "none") return heartbeatMs;
  return Math.max(heartbeatMs, Math.min(2 * heartbeatMs, Math.floor(leaseTtlMs / 3 / (1 + SPREAD))));
}

/** The level of now. */
export class LoadLevel {
  #now: Overload = NO_OVERLOAD;

  get now(): Overload {
    return this.#now;
  }

  /** @returns whether the level has changed */
  look(load: number): boolean {
    const { level } = this.#now;
    this.#now = afterLook(this.#now, load);
    return this.#now.level !== level;
  }
}
