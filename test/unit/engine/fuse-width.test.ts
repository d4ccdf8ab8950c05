import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asFuseKey } from "../../../src/core/ids.ts";
import { FuseWidths, mostFused, nextWidth } from "../../../worker/engine/fuse-width.ts";

const A = asFuseKey("aaaaaaaaaaaaaaaa");
const B = asFuseKey("bbbbbbbbbbbbbbbb");

/** Times widths as `next` asks for them, by a law of milliseconds a step, until nothing is left to learn. */
function learn(widths: FuseWidths, most: number, stepMs: (width: number) => number): readonly number[] {
  const asked: number[] = [];
  for (let width = widths.next(A, most); width !== undefined; width = widths.next(A, most)) {
    asked.push(width);
    widths.timed(A, { width, stepMs: stepMs(width) });
  }
  return asked;
}

describe("the best width", () => {
  test("is unbounded while doubling makes members cheaper", () => {
    const widths = new FuseWidths();
    expect(widths.best(A)).toBe(Infinity);
    expect(learn(widths, 64, (k) => 5 + 0.05 * k)).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(widths.best(A)).toBe(Infinity);
    expect(widths.best(B)).toBe(Infinity);
  });

  test("is the narrowest within a tenth of the fastest, once two wider ones have gained less", () => {
    const widths = new FuseWidths();
    // Members' steps a second, for a + b K milliseconds: K / (a + b K). Of the limit, 0.80 at 8, 0.89 at 16, 0.97 at 64.
    expect(learn(widths, 512, (k) => 0.2 + 0.1 * k)).toEqual([1, 2, 4, 8, 16, 32, 64]);
    expect(widths.best(A)).toBe(16);
    expect(widths.next(A, 512)).toBeUndefined();
  });

  test("is not missed for one point that a busy machine made slow", () => {
    for (const slow of [1, 2, 4, 8, 16]) {
      const widths = new FuseWidths();
      learn(widths, 512, (k) => (1 + k / 32) * (k === slow ? 4 : 1));
      expect(widths.best(A)).toBeGreaterThanOrEqual(32);
    }
  });

  test("is where steps are so long that nothing is left to share", () => {
    const widths = new FuseWidths();
    expect(learn(widths, 64, (k) => 30 * k)).toEqual([1]);
    expect(widths.best(A)).toBe(1);
  });

  test("is gone on with by a wider shard where a narrow one has ended", () => {
    const widths = new FuseWidths();
    expect(learn(widths, 5, (k) => 5 + 0.05 * k)).toEqual([1, 2, 4]);
    expect(learn(widths, 20, (k) => 5 + 0.05 * k)).toEqual([8, 16]);
  });

  test("is told once, with what it was judged by", () => {
    const told: unknown[] = [];
    const widths = new FuseWidths((key, points, best) => told.push([key, points.length, best]));
    learn(widths, 64, (k) => 0.1 + 0.1 * k);
    expect(told).toEqual([[A, 6, 8]]);
  });

  test("stays below what ran out of memory, in training and in estimating by themselves", () => {
    const widths = new FuseWidths();
    widths.trainingRanOut(A, 12);
    widths.trainingRanOut(A, 40);
    expect([widths.mostTrained(A), widths.mostEstimated(A), widths.mostTrained(B)]).toEqual([6, Infinity, Infinity]);
    widths.estimateRanOut(A, 3);
    widths.estimateRanOut(A, 1);
    expect(widths.mostEstimated(A)).toBe(1);
    expect(learn(widths, 64, () => 1)).toEqual([1, 2, 4]);
  });

  test("is kept for the fuse keys of late, without end to their number", () => {
    const widths = new FuseWidths();
    widths.trainingRanOut(A, 8);
    for (let i = 0; i < 1000; i += 1) widths.trainingRanOut(asFuseKey(i.toString(16).padStart(16, "0")), 8);
    expect(widths.mostTrained(A)).toBe(Infinity);
    expect(widths.mostTrained(asFuseKey((999).toString(16).padStart(16, "0")))).toBe(4);
  });
});

describe("the width of the next program", () => {
  test("cuts cells into equal parts of about the best width", () => {
    const parts = (cells: number, best: number, most = Infinity): readonly number[] => {
      const widths: number[] = [];
      for (let left = cells; left > 0; left -= widths.at(-1)!) widths.push(nextWidth(left, best, most));
      return widths;
    };
    expect(parts(18, 16)).toEqual([18]);
    expect(parts(24, 16)).toEqual([12, 12]);
    expect(parts(40, 16)).toEqual([14, 13, 13]);
    expect(parts(64, 8)).toEqual(Array(8).fill(8));
    expect(parts(9, Infinity)).toEqual([9]);
    expect(parts(9, Infinity, 4)).toEqual([3, 3, 3]);
    expect(parts(3, 1)).toEqual([1, 1, 1]);
  });

  test("never passes what memory holds, nor leaves a cell out", () => {
    const count = fc.integer({ min: 1, max: 600 });
    fc.assert(
      fc.property(
        count,
        fc.option(count, { nil: Infinity }),
        fc.option(count, { nil: Infinity }),
        (cells, best, most) => {
          const width = nextWidth(cells, best, most);
          expect(width).toBeGreaterThanOrEqual(1);
          expect(width).toBeLessThanOrEqual(Math.min(cells, most));
          if (most === Infinity) expect(width).toBeLessThanOrEqual(Math.max(1, 2 * best));
        },
      ),
    );
  });
});

test("a shard's width by default is that of the backend, and an unknown one is taken for a processor", () => {
  expect(mostFused("wasm")).toBe(64);
  expect(mostFused("tensorflow-gpu")).toBeGreaterThan(mostFused("wasm"));
  expect(mostFused("abacus")).toBe(64);
});
