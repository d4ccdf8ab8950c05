import fc from "fast-check";
import { expect, it } from "vitest";
import { leastCut } from "../../../src/oracle/least-cut.ts";

it("finds the least cut of all", () => {
  const nodes = 7;
  const capacity = fc.oneof(fc.constant(0), fc.nat(9));
  const graph = fc.array(fc.array(capacity, { minLength: nodes, maxLength: nodes }), {
    minLength: nodes,
    maxLength: nodes,
  });
  fc.assert(
    fc.property(graph, (capacities) => {
      const crossing = (side: readonly boolean[]): number =>
        capacities.reduce(
          (sum, row, i) => sum + row.reduce((rest, c, j) => rest + (side[i]! && !side[j]! ? c : 0), 0),
          0,
        );
      const sides = Array.from({ length: 1 << (nodes - 2) }, (_, bits) =>
        Array.from({ length: nodes }, (_, i) => i === 0 || (i < nodes - 1 && ((bits >> (i - 1)) & 1) === 1)),
      );
      const { capacity, sourceSide } = leastCut(capacities, 0, nodes - 1);
      expect(capacity).toBe(Math.min(...sides.map(crossing)));
      expect(crossing(sourceSide)).toBe(capacity);
    }),
    { numRuns: 300, seed: 1 },
  );
});
