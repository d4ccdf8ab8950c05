/**
 * The heartbeat: tells the coordinator the worker's whole state and takes what it should do, again and again.
 *
 * Invariants:
 * 1. One sync is under way at a time. A change while a long poll is held back cuts the poll short: whatever it would have
 *    granted is granted again, because grants repeat until they are listed as held.
 * 2. An answer of a lower epoch than one seen before comes from a coordinator that was replaced, and is not followed.
 * 3. It ends by an error only when no repetition can help: a wrong token, another version.
 */
import type { SyncRequest, SyncResponse } from "../../proto/gen/occam/v1/control.ts";
import { backoffMs, RECONNECT, type BackoffLimits } from "../../src/core/backoff.ts";
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError, type ErrorCode } from "../../src/core/errors.ts";
import { fillUniform, type RandomKey } from "../../src/core/random.ts";
import { HEARTBEAT_SPREAD, type SessionTimings } from "./timings.ts";
import { Wakeup } from "./wakeup.ts";

export interface SyncLoopOptions {
  readonly sync: (request: SyncRequest, deadlineMs: number, signal: AbortSignal) => Promise<SyncResponse>;
  /** The worker's whole state, now. */
  readonly state: () => Omit<SyncRequest, "waitMs" | "heardReply">;
  readonly apply: (response: SyncResponse) => void;
  readonly clock: Clock;
  readonly key: RandomKey;
  readonly timings: SessionTimings;
  /** The coordinator is out of reach (with the reason), or there again (undefined). Called on changes. */
  readonly onReach: (lost: string | undefined) => void;
}

/** Errors that repeating cannot mend. */
const FATAL: ReadonlySet<ErrorCode> = new Set([
  "unauthenticated",
  "permission-denied",
  "protocol",
  "unsupported",
  "bad-config",
]);

interface Poll {
  readonly controller: AbortController;
  interrupted: boolean;
}

export class SyncLoop {
  readonly #options: SyncLoopOptions;
  readonly #wakeup = new Wakeup();
  #epoch = 0n;
  #heardReply = 0n;
  #beat = 0;
  #failures = 0;
  #poll: Poll | undefined;

  constructor(options: SyncLoopOptions) {
    this.#options = options;
  }

  /** Something that the coordinator should know at once has changed. */
  changed(): void {
    if (this.#poll === undefined) return this.#wakeup.wake();
    this.#poll.interrupted = true;
    this.#poll.controller.abort();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      const request = this.#request();
      const outcome = await this.#once(request, signal);
      if (signal.aborted) return;
      if (outcome === "failed") {
        // A change does not shorten this wait: a coordinator that just came up must not be flooded.
        await clock.sleep(backoffMs(this.#options.key, this.#failures - 1, this.#reconnect(request)), signal);
      } else if (outcome !== "interrupted") {
        await this.#wakeup.wait(clock, this.#pauseMs(request, outcome, clock.monotonicMs() - startMs), signal);
      }
    }
  }

  #request(): SyncRequest {
    const { state, timings } = this.#options;
    const now = state();
    const idle = now.freeSlots > 0 && !now.draining;
    const waitMs = !idle ? 0 : now.held.length > 0 ? this.#spread(timings.heartbeatMs) : timings.longPollMs;
    return { ...now, waitMs: Math.round(waitMs), heardReply: this.#heardReply };
  }

  async #once(request: SyncRequest, signal: AbortSignal): Promise<SyncResponse | "interrupted" | "failed"> {
    const poll: Poll = { controller: new AbortController(), interrupted: false };
    const stop = (): void => poll.controller.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (request.waitMs > 0) this.#poll = poll;
    try {
      const deadlineMs = request.waitMs + this.#patienceMs(request);
      const response = await this.#options.sync(request, deadlineMs, poll.controller.signal);
      this.#reached();
      this.#heardReply = response.replyNumber;
      if (response.coordinatorEpoch >= this.#epoch) {
        this.#epoch = response.coordinatorEpoch;
        this.#options.apply(response);
      }
      return response;
    } catch (error) {
      if (poll.interrupted || signal.aborted) return "interrupted";
      if (error instanceof OccamError && FATAL.has(error.code)) throw error;
      if (this.#failures === 0) this.#options.onReach(messageOf(error));
      this.#failures += 1;
      return "failed";
    } finally {
      this.#poll = undefined;
      signal.removeEventListener("abort", stop);
    }
  }

  /** Who holds leases waits no longer than a beat, and tries again within a beat: several tries have to fit into a lease's ttl. */
  #patienceMs({ held }: SyncRequest): number {
    const { callTimeoutMs, heartbeatMs } = this.#options.timings;
    return held.length > 0 ? Math.min(callTimeoutMs, heartbeatMs) : callTimeoutMs;
  }

  #reconnect({ held }: SyncRequest): BackoffLimits {
    const { heartbeatMs } = this.#options.timings;
    return held.length > 0 ? { ...RECONNECT, capMs: Math.min(RECONNECT.capMs, heartbeatMs) } : RECONNECT;
  }

  #reached(): void {
    if (this.#failures > 0) this.#options.onReach(undefined);
    this.#failures = 0;
  }

  /** Until the next sync when nothing changes. */
  #pauseMs(request: SyncRequest, response: SyncResponse, tookMs: number): number {
    const { heartbeatMs, pollGapMs } = this.#options.timings;
    // A poll that was held back is followed by the next one at once.
    if (request.waitMs > 0) return Math.max(0, pollGapMs - tookMs);
    return this.#spread(response.nextSyncMs > 0 ? response.nextSyncMs : heartbeatMs);
  }

  #spread(ms: number): number {
    const draw = new Float32Array(1);
    fillUniform(this.#options.key, { a: (this.#beat += 1), b: 1 }, draw);
    return ms * (1 + HEARTBEAT_SPREAD * (2 * draw[0]! - 1));
  }
}
