/** What a cell took is told over all attempts that a checkpoint tells of. */
import { expect, test } from "vitest";
import { everyStepTurns, runUntil, type CutShard } from "../../support/cut-shard.ts";
import { openTestEngine } from "../../support/test-backend.ts";
import { ESTIMATE, tinyCell } from "../../support/tiny-cells.ts";

const computeMs = ({ results }: CutShard, id: string): number => {
  const { trainMs, estimateMs } = [...results].find(([cell]) => cell === id)![1].timing;
  return trainMs + estimateMs;
};

test("a cell that is cut twice has taken about as long as one that was not", async () => {
  const engine = everyStepTurns(await openTestEngine());
  const cell = tinyCell({ estimate: { ...ESTIMATE, chains: 2, budget: 100, refine: "never" } });
  const whole = await runUntil(engine, [cell]);
  const first = await runUntil(engine, [cell], Math.floor(whole.turns / 2));
  const second = await runUntil(engine, [cell], Math.floor(whole.turns / 3), first.left);
  const third = await runUntil(engine, [cell], Infinity, second.left);
  expect([first.results.size, second.results.size, third.results.size]).toEqual([0, 0, 1]);
  // Time goes with the looks at the clock, of which a start has some more.
  const share = computeMs(third, cell.id) / computeMs(whole, cell.id);
  expect(share).toBeGreaterThan(0.9);
  expect(share).toBeLessThan(1.3);
});
