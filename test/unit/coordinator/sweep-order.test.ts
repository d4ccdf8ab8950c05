import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRequirement, unmet } from "../../../coordinator/schedule/requirement.ts";
import { isFull, sweepOrder, type Standing } from "../../../coordinator/schedule/sweep-order.ts";
import { ALIKE_MAX, faultClass, FirstFaults } from "../../../coordinator/sweep/first-faults.ts";

const sweep = (seq: number, overrides: Partial<Standing> = {}): Standing => ({
  seq,
  priority: 0,
  runningFlops: 0,
  workers: 0,
  maxWorkers: 0,
  isServed: false,
  isOffered: true,
  ...overrides,
});

describe("the order of sweeps", () => {
  it("is by priority, then by who has least running, then by age", () => {
    expect(sweepOrder([sweep(1), sweep(2)])).toEqual([1, 2]);
    expect(sweepOrder([sweep(1, { runningFlops: 5 }), sweep(2)])).toEqual([2, 1]);
    expect(sweepOrder([sweep(1), sweep(2, { priority: 1, runningFlops: 9 }), sweep(3, { priority: -1 })])).toEqual([
      2, 1, 3,
    ]);
  });

  it("leaves out what is paused or not for this worker, and what has its workers", () => {
    expect(sweepOrder([sweep(1, { isOffered: false }), sweep(2)])).toEqual([2]);
    expect(sweepOrder([sweep(1, { maxWorkers: 2, workers: 2 }), sweep(2)])).toEqual([2]);
    expect(sweepOrder([sweep(1, { maxWorkers: 2, workers: 2, isServed: true }), sweep(2)])).toEqual([1, 2]);
    expect(isFull({ maxWorkers: 0, workers: 1_000, isServed: false })).toBe(false);
  });

  it("gives sweeps of one priority equal shares of what runs, whatever their sizes", () => {
    const shards = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 30, maxLength: 200 });
    fc.assert(
      fc.property(shards, fc.integer({ min: 2, max: 5 }), (sizes, count) => {
        const running = Array.from({ length: count }, () => 0);
        for (const size of sizes) {
          const order = sweepOrder(running.map((runningFlops, index) => sweep(index, { runningFlops })));
          running[order[0]!]! += size;
        }
        // A share differs from another by no more than the last shard.
        expect(Math.max(...running) - Math.min(...running)).toBeLessThanOrEqual(10);
      }),
    );
  });
});

describe("a requirement", () => {
  const offer = { backend: "wasm", memoryBytes: 8 * 2 ** 30, labels: { zone: "a", gpu: "none" } };
  const lacks = (...texts: string[]) => unmet(texts.map(parseRequirement), offer);

  it("is of a backend, of memory or of a label", () => {
    expect(lacks("backend=wasm", "memory>=8GiB", "memory>=8192MiB", "zone=a")).toEqual([]);
    expect(lacks("backend=webgpu", "memory>=8.1GiB", "zone=b", "rack=1")).toEqual([
      "backend=webgpu",
      "memory>=8.1GiB",
      "zone=b",
      "rack=1",
    ]);
  });

  it("that cannot be read is refused with what one looks like", () => {
    for (const text of ["", "zone", "=a", "memory=8GiB", "memory>=much", "memory>=8GB", "zone>=3", "1zone=a"]) {
      expect(() => parseRequirement(text)).toThrow(/cannot be read/u);
    }
  });

  it("does not take what every object has for a label", () => {
    expect(lacks("constructor=x", "toString=function")).toHaveLength(2);
  });
});

describe("the first faults of a sweep", () => {
  it("are alike when they differ in numbers, ids and further lines alone", () => {
    expect(faultClass("cell 3fa9c0d1e2f3: ENOSPC at step 12\nstack")).toBe(
      faultClass("cell 0a1b2c3d4e5f: ENOSPC at step 7"),
    );
    expect(faultClass("ENOSPC")).not.toBe(faultClass("EACCES"));
  });

  it("tell once, with enough distinct cells; never after a result or another kind of fault", () => {
    const add = (faults: FirstFaults, cells: readonly number[], reason = "no disk") =>
      cells.map((cell) => faults.add(cell, reason)).filter(Boolean).length;
    const cells = Array.from({ length: ALIKE_MAX }, (_, index) => index);
    const alike = new FirstFaults();
    expect(add(alike, [1, 1, 1, 1, 1, 1])).toBe(0);
    expect(add(alike, cells)).toBe(1);
    expect(add(alike, [10, 11, 12, 13, 14, 15])).toBe(0);
    const mixed = new FirstFaults();
    expect(add(mixed, cells.slice(1)) + add(mixed, [9], "no memory") + add(mixed, cells)).toBe(0);
    const trusted = new FirstFaults();
    add(trusted, cells.slice(1));
    trusted.trust();
    expect(add(trusted, cells)).toBe(0);
  });
});
