import { expect, test } from "vitest";
import { stageAt, stepsAt } from "../../../worker/sample/stage.ts";

test("a run finds its step, explores, settles and samples", () => {
  const stages = Array.from({ length: 1000 }, (_, gradients) => stageAt(gradients, 1000));
  const first = new Map(stages.toReversed().map((stage, i) => [stage, 999 - i]));
  expect([...first].toReversed()).toEqual([["find", 0], ["explore", 50], ["settle", 250], ["sample", 400]]); // prettier-ignore
});

test("exploring takes five times as many steps, and no more than its stage has left but for a whole trajectory", () => {
  expect([0, 49, 250, 400, 999].map((gradients) => stepsAt(gradients, 1000, 20))).toEqual([20, 20, 20, 20, 20]);
  expect([50, 150, 170, 249].map((gradients) => stepsAt(gradients, 1000, 20))).toEqual([100, 100, 80, 20]);
  // A budget that is smaller than a trajectory.
  expect(stepsAt(1, 20, 20)).toBe(20);
});
