import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IngestGate } from "../../../coordinator/ingest/ingest-gate.ts";
import { PushCredit } from "../../../coordinator/ingest/push-credit.ts";
import { LIMITS } from "../../../coordinator/limits.ts";

/** A gate, and the batches that are inside and wait to be let out. */
function gateOf(limitBytes: number) {
  const gate = new IngestGate(limitBytes);
  const inside: { readonly name: string; readonly sizeBytes: number; readonly leave: () => void }[] = [];
  const enter = (sender: string, sizeBytes: number, name = sender): Promise<void> =>
    gate.pass(
      sender,
      sizeBytes,
      () => new Promise<void>((resolve) => inside.push({ name, sizeBytes, leave: resolve })),
    );
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const leave = async (): Promise<void> => {
    inside.shift()?.leave();
    await turn();
  };
  return { inside, enter, leave, turn, names: () => inside.map(({ name }) => name) };
}

describe("the ingest gate", () => {
  it("lets senders take turns, and each one's batches in as they came", async () => {
    const { enter, leave, names, turn } = gateOf(10);
    for (const name of ["a1", "a2", "a3", "a4"]) void enter("a", 10, name);
    void enter("b", 10, "b1");
    const order: string[] = [];
    for (let batch = 0; batch < 5; batch += 1) {
      await turn();
      order.push(...names());
      await leave();
    }
    expect(order).toEqual(["a1", "a2", "b1", "a3", "a4"]);
  });

  it("lets a batch that is larger than the limit in alone, and gives room back when one fails", async () => {
    const { enter, leave, names, turn } = gateOf(10);
    void enter("a", 4);
    void enter("b", 25);
    void enter("c", 4);
    await turn();
    expect(names()).toEqual(["a"]);
    await leave();
    expect(names()).toEqual(["b"]);
    await leave();
    expect(names()).toEqual(["c"]);
    await leave();
    const gate = new IngestGate(10);
    await expect(gate.pass("a", 10, () => Promise.reject(new Error("refused")))).rejects.toThrow("refused");
    expect(await gate.pass("a", 10, () => Promise.resolve(7))).toBe(7);
  });

  it("holds its limit, loses no batch, whatever comes", async () => {
    const batches = fc.array(
      fc.record({ sender: fc.constantFrom("a", "b", "c"), size: fc.integer({ min: 0, max: 14 }), leaves: fc.nat(2) }),
      { size: "max", maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(batches, async (list) => {
        const { inside, enter, leave, turn } = gateOf(10);
        const done: Promise<void>[] = [];
        for (const { sender, size, leaves } of list) {
          done.push(enter(sender, size));
          await turn();
          const total = inside.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          expect(total <= 10 || inside.filter(({ sizeBytes }) => sizeBytes > 0).length === 1).toBe(true);
          for (let each = 0; each < leaves; each += 1) await leave();
        }
        for (let each = 0; each < list.length; each += 1) await leave();
        await Promise.all(done);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the credit of a worker", () => {
  it("is full at its window, which shrinks with the number of calls and never below one batch's worth", () => {
    const credit = new PushCredit();
    credit.opened();
    expect(credit.windowBytes).toBe(LIMITS.pushWindowMaxBytes);
    credit.take("w", LIMITS.pushWindowMaxBytes - 1);
    expect([credit.isFull("w"), credit.isFull("v")]).toEqual([false, false]);
    credit.take("w", 1);
    expect(credit.isFull("w")).toBe(true);
    credit.give("w", LIMITS.pushWindowMaxBytes);
    expect(credit.isFull("w")).toBe(false);
    for (let call = 1; call < 200; call += 1) credit.opened();
    expect(credit.windowBytes).toBe(Math.floor(LIMITS.pushHeldBytes / 200));
    for (let call = 0; call < 5_000; call += 1) credit.opened();
    expect(credit.windowBytes).toBe(LIMITS.pushWindowMinBytes);
  });
});
