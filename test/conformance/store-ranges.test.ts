/** What every store writes and reads by ranges of cells' keys: attempts of wide shards, and the cells of a sweep. */
import { expect, it } from "vitest";
import { committed, granted, idOf, sweepWith, token } from "./store-fixture.ts";
import { describeStores } from "./store-under-test.ts";

describeStores(({ apply, store }) => {
  it("attempts and configurations of wide shards, which ended cell by cell, each in its own way", async () => {
    const keysFrom = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
    const end = (value: number, ended: "lost" | "released") => (cellKey: number) =>
      ({ kind: "attempt-ended", token: token(value), cellKey, ended }) as const;
    const [left, right] = [keysFrom(1, 100).filter((key) => key !== 50), [...keysFrom(101, 200), 50]];
    await apply(sweepWith(keysFrom(1, 200)), granted(1, left), granted(2, right));
    await apply(
      keysFrom(1, 40).flatMap((key) => committed(key, 1)),
      keysFrom(41, 90).filter((key) => key !== 50).map(end(1, "lost")), // prettier-ignore
      granted(3, keysFrom(51, 90)),
      [150, 152, ...keysFrom(160, 199)].map(end(2, "released")),
    );
    const open = (await store().loadOpenLeases()).map((lease) => [lease.token, [...lease.openCells].sort(byNumber)]);
    expect(open).toEqual([
      [token(1), keysFrom(91, 100)],
      [token(2), [50, ...keysFrom(101, 149), 151, ...keysFrom(153, 159), 200]],
      [token(3), keysFrom(51, 90)],
    ]);
    const endOf = async (value: number, key: number) => (await store().findAttempt(token(value), idOf(key)))?.ended;
    expect([await endOf(1, 40), await endOf(1, 41), await endOf(2, 160), await endOf(3, 60)]).toEqual([
      "committed",
      "lost",
      "released",
      null,
    ]);
    expect(await endOf(1, 50)).toBeUndefined();
    expect((await store().findCells("", [idOf(60), idOf(95)])).map((cell) => cell.attempts).sort(byNumber)).toEqual([
      1, 2,
    ]);
    const expected = new Map(keysFrom(120, 170).map((key) => [key, `{"cell":${key}}`]));
    expect(await store().readConfigs(keysFrom(120, 170))).toEqual(expected);
    await expect(apply(granted(4, keysFrom(190, 240)))).rejects.toThrow();
    expect(await endOf(4, 195)).toBeUndefined();
  });

  it("cancelled cells of a sweep, and between which keys its cells lie", async () => {
    await apply(sweepWith([1, 2, 3]), { kind: "cells-cancelled", cellKeys: [1, 3] });
    const cancelled = async (sweepSeq: number, first: number, last: number): Promise<readonly number[]> =>
      (await store().findCellsIn(sweepSeq, "cancelled", { first, last })).map((cell) => cell.key);
    expect(await cancelled(1, 1, 2)).toEqual([1]);
    expect(await cancelled(1, 2, 5)).toEqual([3]);
    expect(await cancelled(1, 1, 3)).toEqual([1, 3]);
    expect(await cancelled(2, 1, 3)).toEqual([]);
    expect(await store().keysOf(1)).toEqual({ first: 1, last: 3 });
    expect(await store().keysOf(2)).toBeUndefined();
  });
});

const byNumber = (a: number, b: number): number => a - b;
