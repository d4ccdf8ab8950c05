/** How many cells were committed in the last minute, and how long the rest will take. O(1) memory and time. */

const WINDOW_S = 60;
const WINDOW_MS = WINDOW_S * 1000;

/** Counts events in buckets of one second, the newest minute of them. */
export class CommitRate {
  readonly #buckets = new Uint32Array(WINDOW_S);
  #firstMs: number | undefined;
  #lastSecond = 0;
  #sum = 0;

  /** Work has begun: the rate counts from here, so that the first minute is not taken for a slow one. */
  begin(nowMs: number): void {
    if (this.#firstMs !== undefined) return;
    this.#firstMs = nowMs;
    this.#lastSecond = secondOf(nowMs);
  }

  add(nowMs: number): void {
    this.begin(nowMs);
    this.#roll(nowMs);
    this.#buckets[this.#lastSecond % WINDOW_S]! += 1;
    this.#sum += 1;
  }

  /** Cells in the last minute, scaled up while less than a minute has passed. */
  perMinute(nowMs: number): number {
    if (this.#firstMs === undefined) return 0;
    this.#roll(nowMs);
    const spanMs = Math.min(WINDOW_MS, Math.max(1000, nowMs - this.#firstMs));
    return (this.#sum * WINDOW_MS) / spanMs;
  }

  /** Time that `remaining` cells take at this rate; 0 when unknown. */
  etaMs(remaining: number, nowMs: number): number {
    const rate = this.perMinute(nowMs);
    return rate === 0 ? 0 : Math.round((remaining * WINDOW_MS) / rate);
  }

  #roll(nowMs: number): void {
    const second = secondOf(nowMs);
    const steps = Math.min(WINDOW_S, second - this.#lastSecond);
    for (let step = 1; step <= steps; step += 1) {
      const place = (this.#lastSecond + step) % WINDOW_S;
      this.#sum -= this.#buckets[place]!;
      this.#buckets[place] = 0;
    }
    if (second > this.#lastSecond) this.#lastSecond = second;
  }
}

function secondOf(ms: number): number {
  return Math.floor(ms / 1000);
}
