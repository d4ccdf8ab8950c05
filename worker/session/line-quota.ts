/**
 * How many lines one log may have in a stretch of time. A cell that prints without end must not fill the store, nor crowd the
 * other cells out; and its warnings must not drown in its chatter, so they have a share of their own.
 */
import type { LogLevel } from "../../src/core/log.ts";

/** A stretch, and what is taken in it of each share. An honest cell has a dozen lines in all. */
export const LINE_WINDOW_MS = 10_000;
export const LINES_PER_WINDOW = 1_000;
export const LINE_BYTES_PER_WINDOW = 1024 * 1024;

interface Share {
  lines: number;
  bytes: number;
}

export class LineQuota {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #chatter: Share = { lines: 0, bytes: 0 };
  #serious: Share = { lines: 0, bytes: 0 };

  /** True: the line is taken. */
  take(level: LogLevel, sizeBytes: number, nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= LINE_WINDOW_MS) {
      this.#windowStartMs = nowMs;
      this.#chatter = { lines: 0, bytes: 0 };
      this.#serious = { lines: 0, bytes: 0 };
    }
    const share = level === "debug" || level === "info" ? this.#chatter : this.#serious;
    if (share.lines >= LINES_PER_WINDOW || share.bytes + sizeBytes > LINE_BYTES_PER_WINDOW) return false;
    share.lines += 1;
    share.bytes += sizeBytes;
    return true;
  }

  /** When lines are taken again. */
  get windowEndMs(): number {
    return this.#windowStartMs + LINE_WINDOW_MS;
  }
}
