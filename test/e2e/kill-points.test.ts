/** F3 on real processes; `npm run kill-points` has a thousand of them. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { fileURLToPath } from "node:url";
import { postgresMissing, startPostgres } from "../support/postgres-server.ts";
import { temporaryFolder } from "./support/occam.ts";
import { runRound } from "./kill-points/round.ts";
import { freePort } from "./support/free-port.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

async function expectNothingLost(store: string, points: number): Promise<void> {
  const report = await runRound({
    root: ROOT,
    store,
    port: await freePort(),
    token: "the token of these tests",
    seed: 1,
    points,
    workers: 8,
    readoptionMs: 15_000,
  });
  expect(report.violations).toEqual([]);
  expect(report.found.committed).toBeGreaterThan(0);
}

describe("F3 kill -9 of the coordinator at random moments", () => {
  it("loses nothing that it acknowledged, does nothing twice, and stops nothing that runs", async () => {
    await expectNothingLost(join(temporaryFolder(), "store"), 25);
  });

  it.skipIf(postgresMissing !== undefined)(`nor with PostgreSQL (${postgresMissing ?? "available"})`, async () => {
    const server = await startPostgres();
    try {
      await expectNothingLost(await server.newDatabase(), 5);
    } finally {
      await server.remove();
    }
  });
});
