/**
 * Can a worker be trusted with cells? sound -> broken -> probation -> sound | broken. Pure; times are of the lease clock.
 *
 * Invariants:
 * 1. A worker breaks when BREAK_AT distinct cells failed or were lost on it one after the other, without a success between. Cells
 *    that were lost together count once: one death of a process is one trouble.
 * 2. Only while another worker could take the work: where there is none, nothing would be won.
 * 3. A cell that failed on others as well is no evidence: it is taken out, and a worker that broke by it is sound again.
 * 4. On probation it gets one cell; that one decides.
 */
import type { LeaseToken } from "../../src/core/ids.ts";

/** Distinct cells in a row. */
export const BREAK_AT = 3;

interface Trouble {
  readonly token: LeaseToken;
  readonly loss: boolean;
  readonly cells: ReadonlySet<number>;
}

export type WorkerHealth =
  | { readonly kind: "sound"; readonly troubles: readonly Trouble[] }
  | Broken
  | ({ readonly [K in Exclude<keyof Broken, "kind" | "untilMs">]: Broken[K] } & { readonly kind: "probation" });

interface Broken {
  readonly kind: "broken";
  readonly troubles: readonly Trouble[];
  readonly reason: string;
  /** It broke so often since it was sound. */
  readonly times: number;
  readonly untilMs: number;
}

export const SOUND: WorkerHealth = Object.freeze({ kind: "sound", troubles: Object.freeze([]) });

export type HealthEvent =
  | {
      readonly kind: "trouble";
      readonly token: LeaseToken;
      readonly cellKey: number;
      /** Its process died, with all cells of the lease; else the cell failed. */
      readonly loss: boolean;
      readonly reason: string;
      readonly nowMs: number;
      /** Another sound worker is there. */
      readonly others: boolean;
    }
  | { readonly kind: "success" }
  | { readonly kind: "time"; readonly nowMs: number }
  /** The cell failed on other workers too. */
  | { readonly kind: "cleared"; readonly cellKey: number }
  | { readonly kind: "reset" };

interface Waits {
  readonly brokenMs: number;
  readonly brokenMaxMs: number;
}

/** The worker after the event; the same value when nothing changes. */
export function healthAfter(health: WorkerHealth, event: HealthEvent, waits: Waits): WorkerHealth {
  switch (event.kind) {
    case "trouble":
      return afterTrouble(health, event, waits);
    case "success":
      // Of a broken one it is what it had in hand before it broke.
      return health.kind === "broken" || isUntroubled(health) ? health : SOUND;
    case "time": {
      if (health.kind !== "broken" || event.nowMs < health.untilMs) return health;
      const { troubles, reason, times } = health;
      return { kind: "probation", troubles, reason, times };
    }
    case "cleared": {
      const troubles = health.troubles.filter(({ cells }) => !cells.has(event.cellKey));
      if (troubles.length === health.troubles.length) return health;
      return troubles.length < BREAK_AT ? { kind: "sound", troubles } : { ...health, troubles };
    }
    case "reset":
      return isUntroubled(health) ? health : SOUND;
  }
}

/** Of a store: why it broke, and how often. */
export function brokenBefore(reason: string, times: number, nowMs: number, waits: Waits): WorkerHealth {
  return { kind: "broken", troubles: [], reason, times, untilMs: nowMs + pauseMs(times, waits) };
}

const isUntroubled = (health: WorkerHealth): boolean => health.kind === "sound" && health.troubles.length === 0;

function afterTrouble(
  health: WorkerHealth,
  event: Extract<HealthEvent, { kind: "trouble" }>,
  waits: Waits,
): WorkerHealth {
  if (health.kind === "broken") return health;
  const troubles = withTrouble(health.troubles, event);
  const times = health.kind === "probation" ? health.times + 1 : 1;
  const breaks = health.kind === "probation" || (troubles.length >= BREAK_AT && event.others);
  if (!breaks) return troubles === health.troubles ? health : { kind: "sound", troubles };
  const what =
    health.kind === "probation" ? "the cell of its probation" : `${troubles.length} cells one after the other`;
  const reason = `${what} failed or were lost on it; the last: ${event.reason}`;
  return { kind: "broken", troubles, reason, times, untilMs: event.nowMs + pauseMs(times, waits) };
}

function withTrouble(
  troubles: readonly Trouble[],
  { token, cellKey, loss }: Extract<HealthEvent, { kind: "trouble" }>,
): readonly Trouble[] {
  if (troubles.some(({ cells }) => cells.has(cellKey))) return troubles;
  const together = loss ? troubles.find((trouble) => trouble.loss && trouble.token === token) : undefined;
  const cells = new Set([...(together?.cells ?? []), cellKey]);
  return [...troubles.filter((trouble) => trouble !== together), { token, loss, cells }].slice(-BREAK_AT);
}

const pauseMs = (times: number, { brokenMs, brokenMaxMs }: Waits): number =>
  Math.min(brokenMaxMs, brokenMs * 2 ** Math.min(times - 1, 30));
