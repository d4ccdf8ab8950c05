/** Several real coordinators on one PostgreSQL, over gRPC: who answers, who points to whom, and who follows. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startCoordinator, type RunningCoordinator } from "../../../coordinator/main.ts";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { openOperator } from "../../../src/cli/operator.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { oneToken } from "../../../src/rpc/tokens.ts";
import { connect } from "../../../src/rpc/client.ts";
import { startCutProxy } from "../../support/cut-proxy.ts";
import { isServing } from "../../support/health-check.ts";
import { postgresMissing, query, startPostgres, type PostgresServer } from "../../support/postgres-server.ts";
import { quietLogger } from "../../support/quiet-logger.ts";

const TOKEN = "a token for tests";
const SPEC = `version: 1
name: moons
data: { kind: moons, train: 32, test: 16 }
grid:
  architecture: { kind: mlp, depth: 1 }
  optimizer: { kind: sgd, learningRate: 0.1 }
  regulariser: none
  scale: { width: [4, 8] }
train: { steps: 10, batch: 8 }
`;
const skipped = postgresMissing === undefined ? "" : ` (${postgresMissing})`;
/** A tenth of the real ones, so that the tests need not wait. */
const timings = { leadTtlMs: 1_000, leadRenewMs: 250, leadPollMs: 100, storeSilenceMs: 3_000 };

let server: PostgresServer;
let url: string;
let running: RunningCoordinator[];

async function start(store = url): Promise<RunningCoordinator> {
  const coordinator = await startCoordinator({
    store,
    host: "127.0.0.1",
    port: 0,
    tokens: oneToken(TOKEN),
    clock: systemClock,
    logger: quietLogger,
    timings,
  });
  running.push(coordinator);
  return coordinator;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > endMs) throw new Error("not within 15 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const leads = (address: string): Promise<boolean> => isServing(address, "occam.v1.OperatorService");

async function pair(): Promise<readonly [leader: RunningCoordinator, standby: RunningCoordinator]> {
  const leader = await start();
  await until(() => leads(leader.address));
  const standby = await start();
  // It has looked at the seat.
  await until(async () => (await asked(standby.address))?.elsewhere !== undefined);
  return [leader, standby];
}

/** How one coordinator, and no other, answers; undefined: well. */
async function asked(address: string): Promise<{ code?: string; message?: string; elsewhere?: string } | undefined> {
  const connection = connect({ address, token: TOKEN });
  try {
    await callUnary(connection.operator, OperatorServiceService.listSweeps, {});
    return undefined;
  } catch (error) {
    return error as { elsewhere?: string };
  } finally {
    connection.close();
  }
}

describe.skipIf(postgresMissing !== undefined)(`coordinators on one store${skipped}`, () => {
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.remove());
  beforeEach(async () => {
    url = await server.newDatabase();
    running = [];
  });
  afterEach(async () => {
    for (const coordinator of running) await coordinator.stop();
  });

  it("are well both, and one of them serves", async () => {
    const [leader, standby] = await pair();
    expect(await asked(leader.address)).toBeUndefined();
    expect([await isServing(leader.address, ""), await isServing(standby.address, "")]).toEqual([true, true]);
    expect(await leads(standby.address)).toBe(false);
  });

  it("point to the leader, in words and for programs", async () => {
    const [leader, standby] = await pair();
    expect(await asked(standby.address)).toMatchObject({
      code: "unavailable",
      message: `this coordinator stands by; the one at ${leader.address} leads`,
      elsewhere: leader.address,
    });
  });

  it("are found by a client that knows one of them, or one and a dead one", async () => {
    const [leader, standby] = await pair();
    for (const addresses of [standby.address, `127.0.0.1:1, ${standby.address}`, leader.address]) {
      const operator = openOperator({ address: addresses, token: TOKEN }, systemClock);
      expect(await operator.sweeps()).toEqual([]);
      expect(operator.address).toBe(leader.address);
      const cells = operator.cells("nothing");
      await expect(cells[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "not-found" });
      operator.close();
    }
  });

  it("hand over when the leader stops: what it acknowledged is there, and its clients follow", async () => {
    const [leader, standby] = await pair();
    const operator = openOperator({ address: `${leader.address},${standby.address}`, token: TOKEN }, systemClock);
    const submission = { specText: SPEC, fileName: "moons.yaml", noCache: false, requestId: "" };
    const { sweep } = await operator.submit(submission);
    const before = await operator.server();
    await leader.stop();
    await until(() => leads(standby.address));
    expect((await operator.sweeps()).map(({ sweepId }) => sweepId)).toEqual([sweep!.sweepId]);
    expect((await operator.server()).coordinatorEpoch).toBe(before.coordinatorEpoch + 1n);
    expect((await operator.submit(submission)).created).toBe(false);
    operator.close();
  });

  it("are cut from the store without a word: the other leads, the old one ends, and what is cut off stands by again", async () => {
    const proxy = await startCutProxy(server.port);
    const throughProxy = url.replace(`:${server.port}/`, `:${proxy.port}/`);
    const leader = await start(throughProxy);
    await until(() => leads(leader.address));
    const other = await start();
    const alsoCut = await start(throughProxy);
    await until(async () => (await asked(alsoCut.address))?.elsewhere === leader.address);
    proxy.cut();
    const submission = { specText: SPEC, fileName: "moons.yaml", noCache: false, requestId: "" };
    const operator = openOperator({ address: leader.address, token: TOKEN }, systemClock);
    const submitted = expect(operator.submit(submission)).rejects.toMatchObject({ code: "unavailable" });
    await until(() => leads(other.address));
    expect((await leader.failed).message).toContain("has not answered for 1 s");
    await leader.stop();
    await submitted;
    operator.close();
    expect(await query(url, "select count(*)::int as n from sweep")).toEqual([{ n: 0 }]);
    // Its old connections stay silent for ever; new ones come through.
    proxy.mend();
    await other.stop();
    await until(() => leads(alsoCut.address));
    await alsoCut.stop();
    proxy.close();
  }, 60_000);

  it("fail when another has taken the seat: nothing that the old one is asked for is acknowledged", async () => {
    const leader = await start();
    await until(() => leads(leader.address));
    await query(url, "update leader set epoch = epoch + 1, address = 'other:1'");
    const operator = openOperator({ address: leader.address, token: TOKEN }, systemClock);
    const submission = { specText: SPEC, fileName: "moons.yaml", noCache: false, requestId: "" };
    await expect(operator.submit(submission)).rejects.toMatchObject({
      code: "unavailable",
      message: expect.stringMatching(/another coordinator leads|other:1 leads|stopping/u),
    });
    operator.close();
    expect((await leader.failed).message).toMatch(/another coordinator leads|other:1 leads/u);
    expect(await query(url, "select count(*)::int as n from sweep")).toEqual([{ n: 0 }]);
  });
});
