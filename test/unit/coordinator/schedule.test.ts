import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PendingWork, type Ask, type CellNeeds, type Queued } from "../../../coordinator/schedule/pending-work.ts";
import { shardWidth, type ShardBounds } from "../../../coordinator/schedule/shard-width.ts";
import { asFuseKey, asWorkerId } from "../../../src/core/ids.ts";

const A = asFuseKey("aaaaaaaaaaaaaaaa");
const B = asFuseKey("bbbbbbbbbbbbbbbb");

const roomy: ShardBounds = {
  available: 1000,
  maxFuseWidth: 32,
  memoryBytes: 0,
  bytesPerMember: 0,
  widthLimit: 0,
  remainingFlops: 1000,
  flopsPerCell: 1,
  workers: 1,
  shardCellsMax: 1024,
};

describe("the width of a shard", () => {
  it("is what fuses, what is there, what fits into memory, and what a fault allows", () => {
    expect(shardWidth(roomy)).toBe(32);
    expect(shardWidth({ ...roomy, available: 5 })).toBe(5);
    expect(shardWidth({ ...roomy, memoryBytes: 1000, bytesPerMember: 90 })).toBe(11);
    expect(shardWidth({ ...roomy, widthLimit: 6 })).toBe(6);
    expect(shardWidth({ ...roomy, shardCellsMax: 8 })).toBe(8);
  });

  it("is a fair share of all that is left, in operations, leased work counted", () => {
    expect(shardWidth({ ...roomy, remainingFlops: 40, workers: 4 })).toBe(10);
    expect(shardWidth({ ...roomy, remainingFlops: 41, workers: 4 })).toBe(11);
    expect(shardWidth({ ...roomy, remainingFlops: 400, flopsPerCell: 100, workers: 2 })).toBe(2);
  });

  it("is at least one, for a cell that seems too large as well", () => {
    expect(shardWidth({ ...roomy, memoryBytes: 10, bytesPerMember: 90 })).toBe(1);
    expect(shardWidth({ ...roomy, maxFuseWidth: 0 })).toBe(1);
  });

  it("gives equal workers that ask one after another equal shards", () => {
    for (const workers of [1, 2, 3, 5, 8]) {
      const cells = workers * 7;
      const widths: number[] = [];
      for (let pending = cells; pending > 0; pending -= widths.at(-1)!) {
        widths.push(shardWidth({ ...roomy, available: pending, remainingFlops: cells, workers }));
      }
      expect(widths).toEqual(Array.from({ length: workers }, () => 7));
    }
  });
});

const needs = (widthLimit: number, triedOn: readonly string[] = [], memoryAbove = 0): CellNeeds => ({
  widthLimit,
  triedOn: triedOn.map(asWorkerId),
  memoryAbove,
});
const ANY = needs(0);
const ask: Ask = {
  order: (seqs) => seqs,
  mayTake: () => true,
  maxFuseWidth: 8,
  memoryBytes: 0,
  leasedFlops: 0,
  workers: 1,
  shardCellsMax: 1024,
};

interface Cell extends Queued<Cell> {
  readonly name: string;
}

const cellOf = (name: string): Cell => ({ name, queue: undefined, before: undefined, after: undefined });
const namesOf = (cells: readonly Cell[] | undefined) => cells?.map(({ name }) => name);

describe("pending work", () => {
  it("gives the oldest sweep first, whatever order they came in", () => {
    const work = new PendingWork<Cell>();
    work.add(2, A, ANY, cellOf("new"));
    work.add(1, A, ANY, cellOf("old"));
    expect(namesOf(work.cut(ask)?.cells)).toEqual(["old"]);
  });

  it("never mixes fuse keys, nor cells that have failed with cells that have not", () => {
    const work = new PendingWork<Cell>();
    const cells = ["a1", "b1", "a2", "hurt"].map(cellOf);
    for (const cell of cells) {
      const { name } = cell;
      work.add(1, name.startsWith("b") ? B : A, needs(name === "hurt" ? 4 : 0), cell);
    }
    const [a1, b1, a2, hurt] = cells as [Cell, Cell, Cell, Cell];
    expect(work.cut(ask)).toEqual({ sweepSeq: 1, fuseKey: A, cells: [a1, a2] });
    for (const cell of [a1, a2]) work.remove(cell);
    expect(work.cut(ask)).toEqual({ sweepSeq: 1, fuseKey: B, cells: [b1] });
    work.remove(b1);
    expect(work.cut(ask)).toEqual({ sweepSeq: 1, fuseKey: A, cells: [hurt] });
    work.remove(hurt);
    expect(work.cut(ask)).toBeUndefined();
  });

  it("gives a worker only what it may take, of the sweeps that it is offered, in their order", () => {
    const work = new PendingWork<Cell>();
    const [tried, fresh] = [cellOf("tried on w1"), cellOf("fresh")];
    work.add(1, A, ANY, cellOf("of the first"));
    work.add(2, A, needs(1, ["w1"]), tried);
    work.add(2, A, ANY, fresh);
    expect(work.cut({ ...ask, order: () => [2, 1] })?.cells).toEqual([tried]);
    const notTried: Ask = { ...ask, mayTake: ({ triedOn }) => !triedOn.includes(asWorkerId("w1")) };
    expect(work.cut({ ...notTried, order: () => [2, 1] })).toMatchObject({ sweepSeq: 2, cells: [fresh] });
    expect(work.cut({ ...ask, order: () => [] })).toBeUndefined();
    expect(work.cut({ ...ask, mayTake: () => false })).toBeUndefined();
    expect([work.aheadOf(2, tried), work.aheadOf(2, fresh)]).toEqual([0, 1]);
  });

  it("does not count work of a sweep that is not offered when it cuts", () => {
    const work = new PendingWork<Cell>();
    for (let cell = 0; cell < 40; cell += 1) work.add(1, A, ANY, cellOf(`${cell}`));
    for (let cell = 40; cell < 48; cell += 1) work.add(2, A, ANY, cellOf(`${cell}`));
    expect(work.cut({ ...ask, workers: 4, order: () => [2] })?.cells).toHaveLength(2);
  });

  it("splits what is left over the workers by operations, across fuse keys", () => {
    const work = new PendingWork<Cell>();
    work.setGroup(A, { bytesPerMember: 0, flopsPerCell: 10 });
    work.setGroup(B, { bytesPerMember: 0, flopsPerCell: 30 });
    for (let cell = 0; cell < 6; cell += 1) work.add(1, A, ANY, cellOf(`${cell}`));
    for (let cell = 6; cell < 8; cell += 1) work.add(1, B, ANY, cellOf(`${cell}`));
    expect(work.flopsOf(1)).toBe(120);
    // Half of 120 operations are six cells of A.
    expect(work.cut({ ...ask, workers: 2 })?.cells).toHaveLength(6);
    expect(work.cut({ ...ask, workers: 3 })?.cells).toHaveLength(4);
  });

  it("counts its cells and operations right through any history", () => {
    const commands = fc.array(
      fc.record({
        add: fc.boolean(),
        sweep: fc.integer({ min: 1, max: 3 }),
        key: fc.constantFrom(A, B),
        limit: fc.constantFrom(0, 1, 4),
        pick: fc.nat(),
      }),
      { maxLength: 200, size: "max" },
    );
    fc.assert(
      fc.property(commands, (history) => {
        const work = new PendingWork<Cell>();
        work.setGroup(A, { bytesPerMember: 1, flopsPerCell: 3 });
        work.setGroup(B, { bytesPerMember: 1, flopsPerCell: 5 });
        // In the order in which they came: each queue is served first in, first out.
        const inside = new Set<Cell>();
        const queueOf = (cell: Cell) => cell.queue!;
        for (const [number, { add, sweep, key, limit, pick }] of history.entries()) {
          if (add || inside.size === 0) {
            const cell = cellOf(`${number}`);
            work.add(sweep, key, needs(limit), cell);
            inside.add(cell);
          } else {
            const victim = [...inside][pick % inside.size]!;
            work.remove(victim);
            work.remove(victim);
            inside.delete(victim);
            expect(victim).toEqual(cellOf(victim.name));
          }
          expect(work.size).toBe(inside.size);
          for (const seq of [1, 2, 3]) {
            const own = [...inside].map(queueOf).filter((queue) => queue.sweepSeq === seq);
            expect(work.flopsOf(seq)).toBe(own.reduce((sum, queue) => sum + (queue.fuseKey === A ? 3 : 5), 0));
          }
          const oldest = Math.min(...[...inside].map((cell) => queueOf(cell).sweepSeq));
          const cut = work.cut(ask);
          expect(cut === undefined).toBe(inside.size === 0);
          const [first] = cut?.cells ?? [];
          if (cut === undefined || first === undefined) continue;
          expect(queueOf(first).sweepSeq).toBe(oldest);
          const same = [...inside].filter((cell) => cell.queue === first.queue);
          expect(namesOf(cut.cells)).toEqual(namesOf(same.slice(0, cut.cells.length)));
          expect(same.map((cell) => work.aheadOf(oldest, cell) - work.aheadOf(oldest, first))).toEqual([
            ...same.keys(),
          ]);
        }
      }),
    );
  });
});
