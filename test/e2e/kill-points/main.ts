/**
 * `npm run kill-points -- --points 1000 --seed 1`: kills a real coordinator that often, in rounds of a store each, and says what was
 * lost. SIGKILL takes no page cache along: what it shows is that nothing is acknowledged before it is written; that it is also
 * synced is SQLite's `synchronous = full`, which a power cut would have to show.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { DEFAULT_TIMINGS } from "../../../coordinator/timings.ts";
import { startPostgres } from "../../support/postgres-server.ts";
import { freePort } from "../support/free-port.ts";
import { runRound, type RoundReport } from "./round.ts";

/** In dist/test/e2e/kill-points. */
const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const TOKEN = "the-token-of-the-kill-points";

const HELP = `npm run kill-points -- [--points N] [--seed N] [--round N] [--workers N] [--postgres]

  --points N   kills in all, some 30 a minute on two idle cores [1000]
  --seed N     of the first round; each round has the next [1]
  --round N    kills of one store, after which its history is checked against what was acknowledged [100]
  --workers N  workers beside the coordinator [8]
  --postgres   the store in a PostgreSQL that is started here, not in SQLite

Exit status: 0 when nothing was lost or twice, 1 when something was.

Example: npm run kill-points -- --points 200 --seed 7
`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", short: "h", default: false },
    points: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    round: { type: "string", default: "100" },
    workers: { type: "string", default: "8" },
    postgres: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(HELP);
  process.exit(0);
}

/** With --postgres: a real server, and a database of its own a round; else a folder a round. */
const server = values.postgres ? await startPostgres() : undefined;

async function oneRound(seed: number, points: number): Promise<RoundReport> {
  const folder = mkdtempSync(join(tmpdir(), "occam-kill-points-"));
  try {
    return await runRound({
      root: ROOT,
      store: (await server?.newDatabase()) ?? join(folder, "store"),
      port: await freePort(),
      token: TOKEN,
      seed,
      points,
      workers: Number(values.workers),
      readoptionMs: DEFAULT_TIMINGS.readoptionMs,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let left = Number(values.points);
let broken = 0;
let kills = 0;
for (let seed = Number(values.seed); left > 0; seed += 1) {
  const points = Math.min(left, Number(values.round));
  left -= points;
  const { violations, killed, acks, found, tookMs } = await oneRound(seed, points);
  broken += violations.length;
  kills += points;
  const seconds = Math.round(tookMs / 1000);
  console.log(`seed ${seed}: ${points} kills in ${seconds} s, ${acks} acknowledged, ${violations.length} violations`);
  console.log(`  ${JSON.stringify({ killed, found })}`);
  for (const violation of violations) console.log(`  ${violation}`);
}
await server?.remove();
console.log(`${kills} kills, ${broken} violations`);
process.exitCode = broken === 0 ? 0 : 1;
