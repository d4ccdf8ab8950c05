import { describe, expect, it } from "vitest";
import type { Change } from "../../../coordinator/store/change.ts";
import { GroupCommit } from "../../../coordinator/store/group-commit.ts";
import type { OccamError } from "../../../src/core/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { leaseToken } from "./coordinator-fixture.ts";

const change = (number: number): Change => ({
  kind: "lease-ended",
  token: leaseToken(number),
  ended: "finished",
  endedMs: 0,
});
const numbersOf = (changes: readonly Change[]) => changes.map((each) => Number((each as { token: bigint }).token));

function open(apply: (changes: readonly Change[]) => Promise<void>, gatherMs = 2, changesMax = 100) {
  const clock = new FakeClock();
  const failures: OccamError[] = [];
  const failed = (error: OccamError): void => void failures.push(error);
  return { clock, failures, writer: new GroupCommit({ store: { apply }, clock, gatherMs, changesMax, failed }) };
}

describe("group commit", () => {
  it("applies what comes after a quiet time at once", async () => {
    const applied: number[][] = [];
    const { clock, writer } = open(async (changes) => void applied.push(numbersOf(changes)));
    for (const number of [1, 2]) {
      writer.write(change(number));
      await clock.advance(0);
      expect(applied.splice(0)).toEqual([[number]]);
      await clock.advance(2);
    }
  });

  it("applies what many write within its time as one transaction, in their order, and answers after it", async () => {
    const applied: number[][] = [];
    const { clock, writer } = open(async (changes) => void applied.push(numbersOf(changes)));
    writer.write(change(0));
    await clock.advance(0);
    expect(applied.splice(0)).toEqual([[0]]);
    let answered = 0;
    const callers = [1, 2, 3].map(async (number) => {
      writer.write(change(number));
      await writer.settled();
      answered += 1;
    });
    await clock.advance(1);
    expect([applied, answered]).toEqual([[], 0]);
    await clock.advance(1);
    await Promise.all(callers);
    expect(applied).toEqual([[1, 2, 3]]);
  });

  it("gathers the next transaction while one is under way, and settles each with its own", async () => {
    const applied: number[][] = [];
    let release: () => void = () => undefined;
    const { clock, writer } = open((changes) => {
      applied.push(numbersOf(changes));
      return new Promise((resolve) => (release = resolve));
    });
    writer.write(change(1));
    const first = writer.settled();
    await clock.advance(2);
    writer.write(change(2));
    let second = false;
    const settled = writer.settled().then(() => (second = true));
    release();
    await first;
    expect(second).toBe(false);
    await clock.advance(2);
    release();
    await settled;
    expect(applied).toEqual([[1], [2]]);
  });

  it("calls what waits for a transaction once it is through, and at once when there is none", async () => {
    const applied: number[][] = [];
    const { clock, writer } = open(async (changes) => void applied.push(numbersOf(changes)));
    const seen: number[] = [];
    writer.write(change(1));
    writer.whenDurable(() => seen.push(applied.length));
    await Promise.resolve();
    expect(seen).toEqual([]);
    await clock.advance(0);
    expect(seen).toEqual([1]);
    writer.whenDurable(() => seen.push(2));
    await Promise.resolve();
    expect(seen).toEqual([1, 2]);
  });

  it("does not wait when much is gathered, and settles at once when nothing is", async () => {
    const applied: number[][] = [];
    const { writer } = open(async (changes) => void applied.push(numbersOf(changes)), 1_000_000, 3);
    await writer.settled();
    writer.write(change(1), change(2), change(3));
    await writer.settled();
    expect(applied).toEqual([[1, 2, 3]]);
  });

  it("acknowledges nothing after a failure: not what failed, not what was gathered, not what comes later", async () => {
    const { clock, writer, failures } = open(async () => {
      throw new Error("disk full");
    });
    writer.write(change(1));
    const first = writer.settled();
    first.catch(() => undefined);
    const seen: string[] = [];
    writer.whenDurable(() => seen.push("durable"));
    await clock.advance(2);
    await expect(first).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("disk full") });
    writer.write(change(2));
    await expect(writer.settled()).rejects.toMatchObject({ code: "unavailable" });
    writer.whenDurable(() => seen.push("durable"));
    await clock.advance(2);
    expect([seen, failures.length]).toEqual([[], 1]);
  });
});
