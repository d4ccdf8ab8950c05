/**
 * How numbers are taken: candidates take turns (A B A B ...), so that a machine that slows down slows all of them, and what
 * is reported is the median of the rounds with their spread. A ratio is the median of the ratios of each round.
 */
import type { Clock } from "../../src/core/clock.ts";

/** One measured number, with what it is compared to. */
export interface Measurement {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Half the range between the quartiles of the rounds, as a share of the median; null for a single reading. */
  readonly spread: number | null;
  /** value relative to its reference, where it has one. */
  readonly ratio: number | null;
  readonly against: string;
  /** What it is to reach, and how it was measured, where that is laid down. */
  readonly bar?: Bar;
  readonly method?: string;
}

export interface Bar {
  readonly floor: number;
  readonly stretch: number | null;
  /** The value is to be at the most this; else at least. */
  readonly most: boolean;
}

/** A single reading beside what it is to reach. */
export function against(name: string, unit: string, value: number, bar: Bar | undefined, method: string): Measurement {
  const plain = { name, value, unit, spread: null, ratio: null, against: "", method };
  return bar === undefined ? plain : { ...plain, bar };
}

/** "met", "stretch" or "MISSED"; "" when nothing is laid down. */
export function verdictOf({ value, bar }: Measurement): string {
  if (bar === undefined) return "";
  const reaches = (limit: number): boolean => (bar.most ? value <= limit : value >= limit);
  if (!reaches(bar.floor)) return "MISSED";
  return bar.stretch !== null && reaches(bar.stretch) ? "stretch" : "met";
}

/** Milliseconds of one unit of work, measured once over about ROUND_MS. */
export type Turn = () => number | Promise<number>;

/** Readings of one candidate, one a round. */
export type Rounds = readonly number[];

const ROUNDS = 7;
const ROUND_MS = 120;
/** Before the first reading: V8 compiles a hot function anew, and anew again, in its first hundreds of calls. */
const WARM_UP_MS = 600;

/** A turn of calls of `work`, each of which does `units` units. */
export function turnOf(clock: Clock, units: number, work: () => void): Turn {
  let warm = false;
  return () => {
    if (!warm) repeat(clock, WARM_UP_MS, work);
    warm = true;
    return repeat(clock, ROUND_MS, work) / units;
  };
}

/** Milliseconds of one call, over at least so long. */
function repeat(clock: Clock, leastMs: number, work: () => void): number {
  const startMs = clock.monotonicMs();
  let calls = 0;
  let elapsedMs = 0;
  do {
    work();
    calls += 1;
    elapsedMs = clock.monotonicMs() - startMs;
  } while (elapsedMs < leastMs);
  return elapsedMs / calls;
}

/** Rounds of all candidates, in turns. The first round warms up and is not kept. */
export async function interleaved<Name extends string>(
  candidates: Readonly<Record<Name, Turn>>,
  rounds = ROUNDS,
): Promise<Readonly<Record<Name, Rounds>>> {
  const names = Object.keys(candidates) as Name[];
  const readings = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (const name of names) {
      const value = await candidates[name]();
      if (round > 0) readings[name].push(value);
    }
  }
  return readings;
}

/** A row of the table. With `against`, the ratio to that reference. */
export function measured(
  name: string,
  unit: string,
  rounds: Rounds,
  against?: { readonly name: string; readonly rounds: Rounds },
): Measurement {
  const value = quantile(rounds, 0.5);
  const spread = rounds.length < 2 ? null : (quantile(rounds, 0.75) - quantile(rounds, 0.25)) / 2 / value;
  const ratio = against === undefined ? null : quantile(rounds.map((reading, i) => reading / against.rounds[i]!), 0.5); // prettier-ignore
  return { name, value, unit, spread, ratio, against: against?.name ?? "" };
}

/** By linear interpolation. */
function quantile(values: Rounds, share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}
