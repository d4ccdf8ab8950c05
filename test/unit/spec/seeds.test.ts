import { describe, expect, test } from "vitest";
import { pointsOf, withGrid } from "./sweep-file.ts";

const ARMS = { architecture: { kind: "mlp", depth: 1 }, optimizer: ["sgd", "adam"], scale: { width: [4, 8] } };
const seedsOf = (seed: unknown, more = {}) => pointsOf(withGrid({ ...ARMS, seed, ...more }));

describe("explicit seeds", () => {
  test("are the same in every arm: common random numbers", () => {
    const points = seedsOf([3, 5]);
    for (const kind of ["sgd", "adam"]) {
      const arm = points.filter(({ point }) => point["optimizer.kind"] === kind);
      expect(arm.map(({ cell }) => cell.config.seed)).toEqual(["3", "5", "3", "5"]);
    }
  });

  test("keep all digits of 64 bits, as a number or as a text", () => {
    const large = "18446744073709551615";
    expect(pointsOf(withGrid({ ...ARMS, seed: large }))[0]!.cell.config.seed).toBe(large);
    expect(
      seedsOf([large, "007"])
        .slice(0, 2)
        .map(({ cell }) => cell.config.seed),
    ).toEqual([large, "7"]);
  });

  test("may be a range", () => {
    expect(new Set(seedsOf({ linear: [0, 3, 4] }).map(({ point }) => point["seed"]))).toEqual(
      new Set(["0", "1", "2", "3"]),
    );
  });

  test("are 0 when the file has none", () => {
    expect(pointsOf(withGrid(ARMS))[0]!.cell.config.seed).toBe("0");
  });
});

describe("replicates", () => {
  test("have seeds of their own in every arm, 64 bits, decimal", () => {
    const points = seedsOf({ replicates: 3 });
    expect(points).toHaveLength(12);
    const seeds = points.map(({ cell }) => cell.config.seed);
    expect(new Set(seeds).size).toBe(12);
    for (const seed of seeds) expect(BigInt(seed)).toBeLessThan(2n ** 64n);
    expect(seeds.some((seed) => BigInt(seed) > 2n ** 62n)).toBe(true);
    expect(points.slice(0, 3).map(({ point }) => point["replicate"])).toEqual([0, 1, 2]);
  });

  test("of a point do not change when the grid grows or more replicates are asked for", () => {
    const few = seedsOf({ replicates: 2 }).map(({ cell }) => cell.id);
    const many = seedsOf({ replicates: 5 }, { scale: { width: [2, 4, 8] } }).map(({ cell }) => cell.id);
    expect(many).toEqual(expect.arrayContaining(few));
  });

  test("can be filtered by their number", () => {
    const points = pointsOf(
      withGrid({ ...ARMS, seed: { replicates: 3 } }, { where: "replicate == 0 || scale.width == 4" }),
    );
    expect(points).toHaveLength(2 * (3 + 1));
  });
});
