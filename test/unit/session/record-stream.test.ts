import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecordStream, type Batch } from "../../../worker/session/record-stream.ts";

function filled(count: number, sizeBytes = 10): RecordStream<number> {
  const stream = new RecordStream<number>();
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
    expect([stream.unackedBytes, stream.heldBytes, stream.allAcked]).toEqual([0, 40, true]);
    stream.replay();
    const again = stream.nextBatch(1_000)!;
    expect(again.firstOffset).toBe(0);
    stream.acknowledge(again, 4);
    stream.releaseAcked();
    expect([stream.heldBytes, stream.end]).toEqual([0, 4]);
    stream.append(4, 10);
    expect(stream.acknowledge(stream.nextBatch(1_000)!, 2)).toBe("lost");
  });

  it("says that an offset beyond its end makes no sense", () => {
    const stream = filled(2);
    expect(stream.acknowledge(stream.nextBatch(1_000)!, 3)).toBe("lost");
  });

  it("drops unsent records only, oldest first", () => {
    const stream = filled(10);
    stream.nextBatch(30);
    expect(stream.dropUnsent(20)).toBe(5);
    expect(stream.nextBatch(1_000)).toMatchObject({ firstOffset: 3, records: [8, 9] });
    expect(stream.end).toBe(5);
  });

  it("brings every record exactly once, in order, through lost batches, lost answers and false rewinds", () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant("append" as const), count: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ type: fc.constant("send" as const), maxBytes: fc.integer({ min: 1, max: 60 }) }),
      fc.constant({ type: "deliver" as const }),
      fc.constant({ type: "answer" as const }),
      fc.constant({ type: "disconnect" as const }),
      fc.constant({ type: "release" as const }),
    );
    fc.assert(
      fc.property(fc.array(step, { size: "max", maxLength: 150 }), (steps) => {
        const stream = new RecordStream<number>();
        const server: number[] = [];
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
          }
        };
        for (const each of steps) run(each);
        for (let round = 0; !stream.allAcked; round += 1) {
          expect(round).toBeLessThan(1_000);
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
