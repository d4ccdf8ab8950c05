/** A thousand runs by chance, those of even seeds. */
import { expect, it } from "vitest";
import { runSeed } from "./run-seed.ts";
import { keepsEveryInvariant } from "./seed-range.ts";

keepsEveryInvariant(0);

it("gives the same run for the same seed", async () => {
  expect(await runSeed(4711)).toEqual(await runSeed(4711));
});
