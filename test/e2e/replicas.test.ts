/** Two coordinators on one PostgreSQL, as processes: the leader is killed, or stopped and resumed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isServing } from "../support/health-check.ts";
import { PASSWORD, postgresMissing, query, startPostgres, type PostgresServer } from "../support/postgres-server.ts";
import { occam, pause, start, temporaryFolder, type Running } from "./support/occam.ts";
import { LONGER } from "./support/tiny.ts";

const skipped = postgresMissing === undefined ? "" : ` (${postgresMissing})`;
/** DEFAULT_TIMINGS: a lease and a look, and what a loaded machine adds. */
const TAKE_OVER_MS = 10_000 + 1_000 + 4_000;

let server: PostgresServer;
let url: string;
let env: Readonly<Record<string, string>>;
let processes: Running[];

interface Replica {
  readonly run: Running;
  readonly address: string;
}

async function coordinator(): Promise<Replica> {
  const run = start(["coordinator", "--port", "0"], { env });
  processes.push(run);
  await run.until((out) => out.includes("coordinator serves"));
  return { run, address: /serves (\S+),/.exec(run.stdout)![1]! };
}

async function untilLeads({ address, run }: Replica, limitMs = TAKE_OVER_MS): Promise<void> {
  const endMs = Date.now() + limitMs;
  while (!(await isServing(address, "occam.v1.ControlService"))) {
    if (Date.now() > endMs) throw new Error(`it does not lead after ${limitMs} ms; it printed\n${run.stderr}`);
    await pause(50);
  }
}

/** What the database says at the end: every cell of the sweep has one result, and nothing was done that a unique key refused. */
async function expectEachCellOnce(cells: number): Promise<void> {
  const states = "select state, count(*)::int as n from cell group by state";
  expect(await query(url, states)).toEqual([{ state: "committed", n: cells }]);
  const counts = `select (select count(*)::int from result) as results, (select count(*)::int from finding) as findings,
    (select count(*)::int from sweep_cell) as links`;
  expect(await query(url, counts)).toEqual([{ results: cells, findings: 0, links: cells }]);
}

describe.skipIf(postgresMissing !== undefined)(`two coordinators on one store${skipped}`, () => {
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.remove());
  beforeEach(async () => {
    url = await server.newDatabase();
    env = { OCCAM_STORE: url, OCCAM_TOKEN: "the token of these tests" };
    processes = [];
  });
  afterEach(async () => {
    for (const run of processes) run.signal("SIGKILL");
    for (const { stdout, stderr } of await Promise.all(processes.map(({ ended }) => ended))) {
      expect(stdout + stderr).not.toContain(PASSWORD);
    }
  });

  it("say why they cannot start, with an exit code for it and without the password", async () => {
    const refusal = async (store: string, also: Readonly<Record<string, string>> = env): Promise<string> => {
      const { code, stderr, stdout } = await occam(["coordinator", "--port", "0", "--store", store], { env: also });
      expect(stdout + stderr).not.toContain(PASSWORD);
      return `${code} ${stderr}`;
    };
    expect(await refusal(`postgres://occam:${PASSWORD}@127.0.0.1:1/runs`)).toMatch(
      /^69 error: 127\.0\.0\.1:1\/runs: PostgreSQL cannot be reached: connect ECONNREFUSED/,
    );
    expect(await refusal(url.replace(PASSWORD, "wrong"))).toMatch(/^77 error: .*refuses this user/);
    expect(await refusal(url, {})).toMatch(/^78 error: .*keeps no token[^]*OCCAM_TOKEN/);
    expect(await refusal(`mysql://occam:${PASSWORD}@127.0.0.1/runs`)).toMatch(/^78 error: .*"mysql"[^]*postgres:/);
    await query(url, "create table meta (name text primary key, value text not null)");
    await query(url, "insert into meta values ('schema_version', '99')");
    expect(await refusal(url)).toMatch(/^78 error: .*schema version 99[^]*newer build/);
  });

  it("F16 survive kill -9 of the leader: the standby leads within the lease, the worker goes on, each cell is done once", async () => {
    const leader = await coordinator();
    await untilLeads(leader);
    const standby = await coordinator();
    const both = `${leader.address},${standby.address}`;
    // A worker that knows the standby alone is sent to the leader, and remembers both.
    const worker = start(["worker", "--coordinator", standby.address, "--backend", "wasm", "--fuse-width", "4"], {
      env,
    });
    processes.push(worker);
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "sweep.yaml"), LONGER);
    const submitted = await occam(["submit", "sweep.yaml", "--coordinator", standby.address], { env, cwd });
    expect([submitted.code, submitted.stderr]).toEqual([0, ""]);
    const done = async (): Promise<number> => {
      const [row] = await query(url, "select count(*)::int as n from result");
      return row!["n"] as number;
    };
    while ((await done()) === 0) await pause(100);

    const held = await query(url, "select token, worker_id from lease where ended is null");
    leader.run.signal("SIGKILL");
    const before = await done();
    await untilLeads(standby);
    expect(before).toBeLessThan(24);
    const watched = await occam(["watch", "longer", "--coordinator", both], { env });
    expect(watched.code, watched.stdout + watched.stderr).toBe(0);
    await expectEachCellOnce(24);
    // The worker's lease was adopted, not given anew.
    for (const { token } of held) {
      expect(await query(url, `select ended from lease where token = ${String(token)}`)).toEqual([
        { ended: "finished" },
      ]);
    }
    expect(await query(url, "select epoch::int from leader")).toEqual([{ epoch: 2 }]);
    worker.signal("SIGTERM");
    expect((await worker.ended).code).toBe(75);
    standby.run.signal("SIGTERM");
    expect((await standby.run.ended).code).toBe(0);
  });

  it("F16 survive a leader that is stopped in the middle of a transaction: it resumes into another's epoch and writes nothing", async () => {
    const leader = await coordinator();
    await untilLeads(leader);
    const standby = await coordinator();
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "sweep.yaml"), LONGER);
    // A lock of ours holds its transaction after it has read its epoch and before it has written the sweep.
    const holder = new Client({ connectionString: url });
    await holder.connect();
    await holder.query("begin; lock table sweep in exclusive mode");
    const submit = start(["submit", "sweep.yaml", "--coordinator", leader.address], { env, cwd });
    processes.push(submit);
    const waiting =
      "select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%sweep%'";
    while ((await query(url, waiting))[0]!["n"] === 0) await pause(50);
    leader.run.signal("SIGSTOP");
    await holder.query("rollback");
    await holder.end();
    await untilLeads(standby, TAKE_OVER_MS + 6_000);
    expect(await query(url, "select epoch::int from leader")).toEqual([{ epoch: 2 }]);

    leader.run.signal("SIGCONT");
    const ended = await leader.run.ended;
    expect(ended.code, ended.stderr).toBe(69);
    expect(ended.stderr).toContain(`error: the coordinator at ${standby.address} leads since epoch 2`);
    expect(await query(url, "select count(*)::int as n from sweep")).toEqual([{ n: 0 }]);
    expect((await submit.ended).code).toBe(69);
    const again = await occam(["submit", "sweep.yaml", "--coordinator", standby.address], { env, cwd });
    expect(again.code, again.stderr).toBe(0);
    expect(await query(url, "select count(*)::int as n from sweep")).toEqual([{ n: 1 }]);
  });
});
