/** Which workers can be trusted with cells: only those that something went wrong on are remembered, and those that are broken stored. */
import type { LeaseToken, WorkerId } from "../../src/core/ids.ts";
import { brokenBefore, healthAfter, SOUND, type HealthEvent, type WorkerHealth } from "../lease/worker-health.ts";
import type { Change } from "../store/change.ts";
import type { BrokenWorker } from "../store/store.ts";
import type { Timings } from "../timings.ts";

export interface TroubleNote {
  readonly token: LeaseToken;
  readonly cellKey: number;
  readonly loss: boolean;
  readonly reason: string;
}

export class HealthBook {
  readonly #workers = new Map<WorkerId, WorkerHealth>();
  readonly #timings: Timings;

  constructor(timings: Timings) {
    this.#timings = timings;
  }

  restore(broken: readonly BrokenWorker[], nowMs: number): void {
    for (const { workerId, reason, times } of broken) {
      this.#workers.set(workerId, brokenBefore(reason, times, nowMs, this.#timings));
    }
  }

  get(workerId: WorkerId): WorkerHealth {
    return this.#workers.get(workerId) ?? SOUND;
  }

  /** What is to be stored of the event; undefined: nothing. */
  apply(workerId: WorkerId, event: HealthEvent): Change | undefined {
    const before = this.get(workerId);
    const after = healthAfter(before, event, this.#timings);
    if (after === before) return undefined;
    if (after.kind === "sound" && after.troubles.length === 0) this.#workers.delete(workerId);
    else this.#workers.set(workerId, after);
    if (after.kind === "broken" && before.kind !== "broken") {
      return { kind: "worker-broken", workerId, reason: after.reason, times: after.times };
    }
    // One on probation is broken still, as far as the next run is concerned.
    if (after.kind !== "sound" || before.kind === "sound") return undefined;
    return { kind: "worker-broken", workerId, reason: "", times: 0 };
  }
}
