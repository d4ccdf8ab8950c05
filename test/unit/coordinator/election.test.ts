/** Elections over a real PostgreSQL and a clock that the tests move. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Election } from "../../../coordinator/lead/election.ts";
import type { Seat } from "../../../coordinator/store/leader-seat.ts";
import { openPostgres, type PostgresDatabase } from "../../../coordinator/store/postgres/open-postgres.ts";
import { DEFAULT_TIMINGS } from "../../../coordinator/timings.ts";
import { granted, sweepWith } from "../../conformance/store-fixture.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { postgresMissing, startPostgres, type PostgresServer } from "../../support/postgres-server.ts";
import { quietLogger } from "../../support/quiet-logger.ts";

const { leadTtlMs, leadRenewMs, leadPollMs } = DEFAULT_TIMINGS;
const skipped = postgresMissing === undefined ? "" : ` (${postgresMissing})`;

let server: PostgresServer;
let database: PostgresDatabase;
let clock: FakeClock;
/** Queries under way: fake time stands still for them. */
let pending = 0;

function counted<A extends readonly unknown[], R>(run: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return async (...args) => {
    pending += 1;
    try {
      return await run(...args);
    } finally {
      pending -= 1;
    }
  };
}

async function settled(): Promise<void> {
  for (let quiet = 0; quiet < 3; quiet = pending === 0 ? quiet + 1 : 0) await new Promise((done) => setImmediate(done));
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    await settled();
    await clock.advance(Math.min(250, left));
  }
  await settled();
}

/** A candidate that can stand still, as a stopped process does. */
function candidate(address: string, seat: Seat = database.seat) {
  const seen = { epoch: undefined as bigint | undefined, lost: "" };
  const state = { still: false, deaf: false };
  const { read, take, renew, free } = seat;
  const own = {
    read: counted(read),
    take: counted(take),
    renew: (epoch: bigint) => (state.deaf ? new Promise<never>(() => undefined) : counted(renew)(epoch)),
    free: counted(free),
  };
  const ownClock = {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    sleep: async (ms: number, signal?: AbortSignal) => {
      await clock.sleep(ms, signal);
      while (state.still) await clock.sleep(100);
    },
    after: (ms: number, callback: () => void) => clock.after(ms, callback),
  };
  const timings = DEFAULT_TIMINGS;
  const election = new Election({ seat: own, address, clock: ownClock, logger: quietLogger, timings });
  void election.win().then((epoch) => (seen.epoch = epoch));
  void election.lost.then((reason) => (seen.lost = reason.message));
  return { election, seen, state };
}

describe.skipIf(postgresMissing !== undefined)(`an election${skipped}`, () => {
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.remove());

  beforeEach(async () => {
    clock = new FakeClock();
    database = await openPostgres(await server.newDatabase(), quietLogger);
    return () => database.close();
  });

  it("gives a free seat to one of many that want it at the same moment, and tells the others who", async () => {
    const all = ["a:1", "b:1", "c:1", "d:1"].map((address) => candidate(address));
    await pass(2 * leadPollMs);
    const winners = all.filter(({ seen }) => seen.epoch !== undefined);
    expect(winners).toHaveLength(1);
    expect(winners[0]!.seen.epoch).toBe(1n);
    expect(new Set(all.map(({ election }) => election.leader))).toEqual(new Set([winners[0]!.election.leader]));
    for (const { election } of all) await election.stop();
  });

  it("leaves a leader that gives signs of life in its seat", async () => {
    const first = candidate("a:1");
    await pass(leadPollMs);
    const second = candidate("b:1");
    await pass(10 * leadTtlMs);
    expect([first.seen, second.seen]).toEqual([
      { epoch: 1n, lost: "" },
      { epoch: undefined, lost: "" },
    ]);
    await first.election.stop();
    await second.election.stop();
  });

  it("gives the seat on at once when the leader frees it", async () => {
    const first = candidate("a:1");
    await pass(leadPollMs);
    const second = candidate("b:1");
    await pass(leadPollMs);
    await first.election.stop();
    await pass(leadPollMs);
    expect(second.seen.epoch).toBe(2n);
    await second.election.stop();
  });

  it("gives the seat on when the leader stood still for a lease; the old one then writes nothing and learns of it", async () => {
    const first = candidate("a:1");
    await pass(leadPollMs);
    const old = database.store(first.seen.epoch);
    await old.apply(sweepWith([1]));
    const second = candidate("b:1");
    await pass(leadRenewMs);
    first.state.still = true;
    await pass(leadTtlMs - leadRenewMs - leadPollMs);
    expect(second.seen.epoch).toBeUndefined();
    await pass(leadRenewMs + 3 * leadPollMs);
    expect(second.seen.epoch).toBe(2n);
    await expect(old.apply([granted(1, [1])])).rejects.toMatchObject({ code: "unavailable" });
    await database.store(2n).apply([granted(1, [1])]);
    first.state.still = false;
    await pass(2 * leadRenewMs);
    expect(first.seen.lost).toBe("the coordinator at b:1 leads since epoch 2; this one was of epoch 1");
    // What the old one does now does not touch the new one's seat.
    await first.election.stop();
    expect((await database.seat.read()).address).toBe("b:1");
    await second.election.stop();
  });

  it("ends the lead of one that gets no answers, though none of its calls fails", async () => {
    const first = candidate("a:1");
    await pass(leadPollMs);
    const second = candidate("b:1");
    await pass(leadRenewMs);
    first.state.deaf = true;
    await pass(leadTtlMs - leadRenewMs);
    expect([first.seen.lost, second.seen.epoch]).toEqual(["", undefined]);
    await pass(2 * leadRenewMs + leadPollMs);
    expect(first.seen.lost).toContain("has not answered for 10 s");
    expect(second.seen.epoch).toBe(2n);
    await first.election.stop();
    await second.election.stop();
  });

  it("is not decided by a standby's own standing still", async () => {
    const first = candidate("a:1");
    await pass(leadPollMs);
    const second = candidate("b:1");
    await pass(leadPollMs);
    second.state.still = true;
    await pass(5 * leadTtlMs);
    second.state.still = false;
    await pass(2 * leadTtlMs);
    expect([first.seen.lost, second.seen.epoch]).toEqual(["", undefined]);
    await first.election.stop();
    await second.election.stop();
  });

  it("ends the lead when the store does not answer for a lease, and goes on when it is there again", async () => {
    const first = candidate("a:1");
    await pass(leadPollMs);
    const second = candidate("b:1");
    await pass(leadPollMs);
    await server.stop();
    await pass(leadTtlMs + 2 * leadRenewMs);
    expect(first.seen.lost).toContain("has not answered for 10 s");
    expect(second.seen.epoch).toBeUndefined();
    await server.start();
    await pass(leadTtlMs + 2 * leadPollMs);
    expect(second.seen.epoch).toBe(2n);
    await first.election.stop();
    await second.election.stop();
  });
});
