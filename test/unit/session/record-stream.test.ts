import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordStream, type Batch } from "../../../worker/session/record-stream.ts";

function filled(count: number, sizeBytes = 10): RecordStream<number, number> {
  const stream = new RecordStream<number, number>();
  for (let i = 0; i < count; i += 1) stream.append(i, sizeBytes);
  return stream;
}

describe("a record stream", () => {
  it("cuts batches by size, and never an empty one", () => {
    const stream = filled(5);
    expect(stream.nextBatch(25)?.records).toEqual([0, 1]);
    expect(stream.nextBatch(1)?.records).toEqual([2]);
    expect(stream.nextBatch(1_000)).toMatchObject({ firstOffset: 3, endOffset: 5, records: [3, 4] });
    expect(stream.nextBatch(1_000)).toBeUndefined();
  });

  it("sends again from where the coordinator stands, once, however many batches were under way", () => {
    const stream = filled(6);
    const batches = [stream.nextBatch(20)!, stream.nextBatch(20)!, stream.nextBatch(20)!];
    expect(stream.acknowledge(batches[0]!, 1)).toBe("rewound");
    expect(stream.nextBatch(1_000)).toMatchObject({ firstOffset: 1, endOffset: 6 });
    // Answers to the batches from before the rewind.
    expect(stream.acknowledge(batches[1]!, 1)).toBe("advanced");
    expect(stream.acknowledge(batches[2]!, 1)).toBe("advanced");
    expect(stream.nextBatch(1_000)).toBeUndefined();
  });

  it("skips what the coordinator already has", () => {
    const stream = filled(6);
    const first = stream.nextBatch(20)!;
    expect(stream.acknowledge(first, 5)).toBe("advanced");
    expect(stream.nextBatch(1_000)).toMatchObject({ firstOffset: 5, endOffset: 6 });
  });

  it("keeps acknowledged records for a replay until they are released, and says when they are gone", () => {
    const stream = filled(4);
    stream.acknowledge(stream.nextBatch(1_000)!, 4);
    expect([stream.unackedMemory, stream.heldMemory, stream.allAcked]).toEqual([0, 4 * (10 + 56), true]);
    stream.replay();
    const again = stream.nextBatch(1_000)!;
    expect(again.firstOffset).toBe(0);
    stream.acknowledge(again, 4);
    stream.releaseAcked();
    expect([stream.heldMemory, stream.end]).toEqual([0, 4]);
    stream.append(4, 10);
    expect(stream.acknowledge(stream.nextBatch(1_000)!, 2)).toBe("lost");
  });

  it("says that an offset beyond its end makes no sense", () => {
    const stream = filled(2);
    expect(stream.acknowledge(stream.nextBatch(1_000)!, 3)).toBe("lost");
  });

  it("parks what was never sent, and sends it in order once it has been read back", () => {
    const stream = filled(6);
    stream.nextBatch(20);
    expect(stream.park(30)).toEqual([2, 3, 4]);
    stream.append(6, 10);
    expect([stream.wanted, stream.nextBatch(99), stream.end]).toEqual([undefined, undefined, 7]);
    stream.parked(70);
    expect(stream.wanted).toMatchObject({ block: 70, count: 3 });
    expect(stream.park(99)).toEqual([5, 6]);
    stream.stayed();
    stream.append(7, 10);
    stream.loaded([2, 3, 4].map((record) => ({ record, sizeBytes: 10 })));
    expect(stream.nextBatch(999)).toMatchObject({ firstOffset: 2, records: [2, 3, 4, 5, 6, 7], endOffset: 8 });
  });

  it("keeps in memory what was sent and is not acknowledged, for the coordinator may have it", () => {
    const stream = filled(4);
    stream.nextBatch(20);
    stream.disconnected();
    expect(stream.parkableBytes).toBe(20);
    expect(stream.park(999)).toEqual([2, 3]);
    expect(stream.nextBatch(999)).toMatchObject({ firstOffset: 0, records: [0, 1] });
  });

  it("gives the places of a block that was lost to what comes behind it", () => {
    const stream = filled(5);
    stream.park(30);
    stream.parked(1);
    stream.loaded([{ record: -3, sizeBytes: 10 }]);
    expect(stream.nextBatch(999)).toMatchObject({ records: [-3, 3, 4], endOffset: 3 });
    expect(stream.end).toBe(3);
  });

  it("brings every record exactly once, in order, through lost batches, lost answers and false rewinds", () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant("append" as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ type: fc.constant("send" as const), maxBytes: fc.integer({ min: 1, max: 60 }) }),
      fc.constant({ type: "deliver" as const }),
      fc.constant({ type: "answer" as const }),
      fc.constant({ type: "disconnect" as const }),
      fc.constant({ type: "release" as const }),
      fc.record({ type: fc.constant("park" as const), maxBytes: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ type: fc.constant("written" as const), well: fc.boolean() }),
      fc.constant({ type: "load" as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { size: "max", maxLength: 150 }), (steps) => {
        const stream = new RecordStream<number, number>();
        const server: number[] = [];
        const disk = new Map<number, readonly number[]>();
        let leaving: readonly number[] | undefined;
        let appended = 0;
        let onTheWay: Batch<number>[] = [];
        let answers: [Batch<number>, number][] = [];
        const deliver = (): void => {
          const batch = onTheWay.shift();
          if (batch === undefined) return;
          if (batch.firstOffset <= server.length)
            server.push(...batch.records.slice(server.length - batch.firstOffset));
          answers.push([batch, server.length]);
        };
        const answer = (): void => {
          const next = answers.shift();
          if (next !== undefined) expect(stream.acknowledge(...next)).not.toBe("lost");
        };
        const run = (each: (typeof steps)[number]): void => {
          switch (each.type) {
            case "append":
              for (let i = 0; i < each.count; i += 1) stream.append(appended++, 10);
              return;
            case "send": {
              const batch = stream.nextBatch(each.maxBytes);
              if (batch !== undefined) onTheWay.push(batch);
              return;
            }
            case "deliver":
              return deliver();
            case "answer":
              return answer();
            case "disconnect":
              [onTheWay, answers] = [[], []];
              return stream.disconnected();
            case "release":
              return stream.releaseAcked();
            case "park":
              if (leaving === undefined && stream.parkableBytes > 0) leaving = stream.park(each.maxBytes);
              return;
            case "written": {
              if (leaving === undefined) return;
              if (each.well) {
                disk.set(disk.size, leaving);
                stream.parked(disk.size - 1);
              } else stream.stayed();
              leaving = undefined;
              return;
            }
            case "load": {
              const { wanted } = stream;
              if (wanted === undefined) return;
              stream.loaded(disk.get(wanted.block)!.map((record) => ({ record, sizeBytes: 10 })));
              return;
            }
          }
        };
        for (const each of steps) run(each);
        for (let round = 0; !stream.allAcked; round += 1) {
          expect(round).toBeLessThan(1_000);
          run({ type: "written", well: true });
          run({ type: "load" });
          run({ type: "send", maxBytes: 60 });
          deliver();
          answer();
        }
        expect(server).toEqual(Array.from({ length: appended }, (_, i) => i));
      }),
      { numRuns: 300 },
    );
  });
});
