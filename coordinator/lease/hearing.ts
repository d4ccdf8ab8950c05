/**
 * Does a worker hear us? One whose answers alone are cut off goes on asking, and would be granted cells for ever that it never hears
 * of. Pure; times are of the lease clock.
 *
 * Invariants:
 * 1. After DEAF_AT grants in a row that were not taken up, though the worker was heard of, it gets none for a time that doubles with
 *    each further one.
 * 2. It hears again once it takes up a grant, or names a reply that was given after the last grant that it did not take up.
 */
import type { Timings } from "../timings.ts";

/** Grants in a row: one or two are lost with lost calls. */
export const DEAF_AT = 3;

export interface Hearing {
  /** Grants in a row that ran out; several that ran out at once are one. */
  readonly unheard: number;
  /** When the last of them ran out. */
  readonly atMs: number;
  /** The last reply before that. */
  readonly lastReply: number;
  /** No grants before. */
  readonly untilMs: number;
}

export const HEARS: Hearing = Object.freeze({ unheard: 0, atMs: 0, lastReply: 0, untilMs: 0 });

/** @param lastReply that was given to anybody, by its number */
export function afterUnheard(
  hearing: Hearing,
  nowMs: number,
  lastReply: number,
  { acceptMs, brokenMs }: Pick<Timings, "acceptMs" | "brokenMs">,
): Hearing {
  if (hearing.unheard > 0 && hearing.atMs === nowMs) return hearing;
  const unheard = hearing.unheard + 1;
  const pauseMs = unheard < DEAF_AT ? 0 : Math.min(brokenMs, acceptMs * 2 ** Math.min(unheard - 1, 30));
  return { unheard, atMs: nowMs, lastReply, untilMs: nowMs + pauseMs };
}

/** @param heard the reply that the worker names; 0: it names none */
export function afterHeard(hearing: Hearing, heard: number): Hearing {
  return heard > hearing.lastReply ? HEARS : hearing;
}

/** Why it gets no grants; "" when it may have some. */
export function whyDeaf({ unheard, untilMs }: Hearing, nowMs: number): string {
  if (nowMs >= untilMs) return "";
  const seconds = Math.ceil((untilMs - nowMs) / 1_000);
  return `it does not seem to hear the coordinator: ${unheard} grants in a row were not taken up; the next one in ${seconds} s`;
}
