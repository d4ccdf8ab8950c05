/**
 * What the coordinator holds of batches that it has read and not answered. Each worker may have so much there over all of its
 * calls; past that its calls are not read, and by the flow control of HTTP/2 it sends no more. Workers are told their window with
 * every answer, so that an honest one never comes to that.
 */
import { LIMITS } from "../limits.ts";

export class PushCredit {
  readonly #held = new Map<string, number>();
  #calls = 0;

  opened(): void {
    this.#calls += 1;
  }

  closed(): void {
    this.#calls -= 1;
  }

  /** Of one worker: its part of the whole, within what is worth a round trip and what fills a fast line. */
  get windowBytes(): number {
    const share = Math.floor(LIMITS.pushHeldBytes / Math.max(1, this.#calls));
    return Math.max(LIMITS.pushWindowMinBytes, Math.min(LIMITS.pushWindowMaxBytes, share));
  }

  /** A batch was read. */
  take(workerId: string, sizeBytes: number): void {
    this.#held.set(workerId, (this.#held.get(workerId) ?? 0) + sizeBytes);
  }

  /** It was answered. */
  give(workerId: string, sizeBytes: number): void {
    const left = (this.#held.get(workerId) ?? 0) - sizeBytes;
    if (left > 0) this.#held.set(workerId, left);
    else this.#held.delete(workerId);
  }

  /** Nothing more is to be read of it now. */
  isFull(workerId: string): boolean {
    return (this.#held.get(workerId) ?? 0) >= this.windowBytes;
  }
}
