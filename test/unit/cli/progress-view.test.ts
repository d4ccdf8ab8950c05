import { describe, expect, it } from "vitest";
import { FakeClock } from "../../support/fake-clock.ts";
import type { Output } from "../../../src/cli/io.ts";
import { paintFor } from "../../../src/cli/output/paint.ts";
import { progressView } from "../../../src/cli/output/progress-view.ts";
import type { Snapshot } from "../../../src/cli/output/progress.ts";

/** Cursor up, erase to the end of the screen, line feed, or text. */
const WRITTEN = new RegExp(String.raw`\u001b\[(\d+)A\r|(\u001b\[0J)|(\n)|([^\u001b\n]+)`, "g");

/** A terminal of so many columns: applies what is written, so that a test sees the screen. */
class Screen implements Output {
  readonly isTTY = true;
  readonly paint = paintFor(false);
  readonly lines: string[] = [""];
  readonly #columns: number;
  #row = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  columns = (): number => this.#columns;
  rows = (): number => 24;
  end = (done: () => void): void => done();

  write = (text: string): Promise<void> => {
    for (const [, up, erase, feed, plain] of text.matchAll(WRITTEN)) {
      if (up !== undefined) this.#row -= Number(up);
      else if (erase !== undefined) this.lines.length = this.#row;
      else if (feed !== undefined) this.#row += 1;
      else this.lines[this.#row] = (this.lines[this.#row] ?? "") + plain!;
    }
    this.lines[this.#row] ??= "";
    return Promise.resolve();
  };
}

function snapshotOf(committed: number, quarantined = 0): Snapshot {
  const faults = { retryWait: 0, lost: 0, preempted: 0, failed: 0, oom: 0 };
  const rest = { pending: 0, leased: 0, diverged: 0, cached: 0, cancelled: 0, ...faults };
  return {
    sweepId: "digits-0123456789",
    counts: { total: 10, committed, quarantined, running: 10 - committed - quarantined, ...rest },
    workers: [],
    cellsPerMinute: 6,
    etaMs: 60_000,
    lowest: undefined,
    highest: undefined,
  };
}

describe("the progress view", () => {
  it("redraws one block on a terminal, and keeps notes above it", async () => {
    const screen = new Screen(60);
    const clock = new FakeClock();
    const view = progressView(screen, clock, false);
    await view.show(snapshotOf(1));
    await view.note("worker 1 was killed");
    await view.show(snapshotOf(2));
    await view.show(snapshotOf(3));
    await clock.advance(3_000);
    expect(screen.lines.filter((line) => line.includes("cells done"))).toEqual([
      "3/10 cells done, 7 running, 0 failed",
    ]);
    expect(screen.lines[0]).toBe("worker 1 was killed");
    expect(screen.lines[1]).toBe("digits-0123456789");
    expect(screen.lines.join("\n")).toContain("elapsed 3.0 s");
    await view.close();
    await screen.write("the end\n");
    await clock.advance(3_000);
    expect(screen.lines.at(-2)).toBe("the end");
    expect(screen.lines.join("\n")).toContain("3/10 cells done");
  });

  it("wraps nothing on a terminal of 20 columns", async () => {
    const screen = new Screen(20);
    const view = progressView(screen, new FakeClock(), false);
    await view.show(snapshotOf(4));
    await view.show(snapshotOf(5));
    expect(Math.max(...screen.lines.map((line) => line.length))).toBeLessThan(20);
    expect(screen.lines.filter((line) => line.includes("/10 cells"))).toEqual(["5/10 cells done"]);
  });

  it("prints a plain line where there is no terminal: seldom, but at once for a failure and for the end", async () => {
    const clock = new FakeClock();
    const screen = Object.assign(new Screen(80), { isTTY: false });
    const view = progressView(screen, clock, false);
    const shown = async (snapshot: Snapshot): Promise<number> => {
      await view.show(snapshot);
      return screen.lines.length - 1;
    };
    expect(await shown(snapshotOf(1))).toBe(1);
    expect(await shown(snapshotOf(2))).toBe(1);
    await clock.advance(5_000);
    expect(await shown(snapshotOf(3))).toBe(2);
    await clock.advance(6_000);
    expect(await shown(snapshotOf(3))).toBe(2);
    await clock.advance(30_000);
    expect(await shown(snapshotOf(3))).toBe(3);
    expect(await shown(snapshotOf(3, 1))).toBe(4);
    expect(await shown(snapshotOf(9, 1))).toBe(5);
    expect(screen.lines.join("")).not.toContain("\u001b");
  });
});
