import { beforeEach, describe, expect, it, vi } from "vitest";
import { asSessionId } from "../../../src/core/ids.ts";
import { listWorkers } from "../../../coordinator/api/worker-message.ts";
import { HandWorker, leaseToken, openWorld, type World } from "./coordinator-fixture.ts";

let world: World;
let worker: HandWorker;

beforeEach(async () => {
  world = await openWorld();
  worker = new HandWorker(() => world);
});

const hot = () => world.coordinator.hot;
const counts = () => hot().sweeps.all()[0]!.counts;
/** Turns of the event loop, for what is decided after a write. */
const turns = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

describe("while the disk is slow", () => {
  it("a mere heartbeat is answered, and nothing that rests on a write", async () => {
    await world.submit({ name: "a", cells: 8 });
    const { token } = await worker.take();
    const idle = new HandWorker(() => world, "idle", "s0");
    await idle.sync({ freeSlots: 0 });
    const { apply } = world.store;
    let go: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (go = resolve));
    vi.spyOn(world.store, "apply").mockImplementation(async (changes) => {
      await slow;
      await apply.call(world.store, changes);
    });
    let answered = 0;
    const count = () => (answered += 1);
    const others = [new HandWorker(() => world, "w2", "s2"), new HandWorker(() => world, "w2", "s2")];
    // A grant; the arrival of a session, and its next sync before that is stored.
    const waiting = [idle.sync(), ...others.map((other) => other.sync({ freeSlots: 0 }))];
    for (const each of waiting) void each.then(count);
    expect((await worker.sync({ freeSlots: 0 })).renewals.map((renewal) => renewal.token)).toEqual([token]);
    await turns();
    expect(answered).toBe(0);
    go();
    expect((await waiting[0]!).grants).toHaveLength(1);
    await Promise.all(waiting);
  });
});

describe("a grant", () => {
  it("is stored before it is sent, with configuration, attempt and ttl", async () => {
    await world.submit({ name: "a", cells: 2 });
    const { grants } = await worker.sync();
    expect(grants).toMatchObject([{ token: 1n, ttlMs: 30_000, cells: [{ configJson: '{"cell":0}', attempt: 1 }, {}] }]);
    expect(await world.store.loadOpenLeases()).toMatchObject([{ token: 1n, workerId: "w1", openCells: [1, 2] }]);
    expect(counts()).toMatchObject({ leased: 2, running: 0 });
  });

  it("is repeated until it is listed, and takes up its slot meanwhile", async () => {
    await world.submit({ name: "a", cells: 8 });
    const first = await worker.sync();
    const again = await worker.sync();
    expect(again.grants).toEqual(first.grants);
    worker.held = [{ token: first.grants[0]!.token, phase: "queued" }];
    const { grants, renewals } = await worker.sync({ freeSlots: 0 });
    expect(grants).toEqual([]);
    expect(renewals).toEqual([{ token: first.grants[0]!.token, ttlMs: 30_000 }]);
    expect(counts()).toMatchObject({ leased: 0, running: 4, pending: 4 });
  });

  it("that is not listed within the accept time is taken back at no cost", async () => {
    await world.submit({ name: "a", cells: 1 });
    await worker.sync();
    await world.clock.advance(11_000);
    expect(counts()).toMatchObject({ pending: 1, leased: 0 });
    const { grants } = await worker.sync();
    expect(grants[0]).toMatchObject({ token: 2n, cells: [{ attempt: 2 }] });
    expect(await world.store.loadOpenLeases()).toHaveLength(1);
  });

  it("fills as many slots as are free", async () => {
    await world.submit({ name: "a", cells: 20 });
    expect((await worker.sync({ freeSlots: 3 })).grants).toHaveLength(3);
  });

  it("leaves their share to workers that were announced, and after a while to those alone that have come", async () => {
    world = await openWorld({}, 4);
    worker.maxFuseWidth = 64;
    await world.submit({ name: "a", cells: 32 });
    const first = await worker.sync();
    expect(first.grants[0]!.cells).toHaveLength(8);
    worker.held = [{ token: first.grants[0]!.token, phase: "queued" }];
    await worker.sync({ freeSlots: 0 });
    await world.clock.advance(hot().timings.expectMs);
    expect((await worker.sync()).grants[0]!.cells).toHaveLength(24);
  });

  it("is not given to a worker that drains", async () => {
    await world.submit({ name: "a", cells: 1 });
    worker.draining = true;
    expect((await worker.sync({ waitMs: 1000 })).grants).toEqual([]);
  });
});

describe("a worker that is heard and does not hear", () => {
  /** Syncs every 5 s, as a worker does whose calls run out of time. How many tokens it was granted. */
  async function deafFor(ms: number, heardReply = 0): Promise<number> {
    const tokens = new Set<bigint>();
    for (let passed = 0; passed < ms; passed += 5_000) {
      for (const { token } of (await worker.sync({ heardReply })).grants) tokens.add(token);
      await world.clock.advance(5_000);
    }
    return tokens.size;
  }

  it("is granted less and less, is no alternative for others meanwhile, and says so", async () => {
    await world.submit({ name: "a", cells: 1 });
    // Without a pause there would be one each 10 s: 60.
    expect(await deafFor(600_000)).toBeLessThanOrEqual(8);
    const [told] = listWorkers(hot());
    expect(told!.activity).toMatch(/does not seem to hear the coordinator: \d+ grants in a row were not taken up/u);
    const other = new HandWorker(() => world, "w2", "s2");
    expect((await other.sync()).grants).toHaveLength(1);
  });

  it("is granted cells at once when it names a reply that it can only have heard since", async () => {
    await world.submit({ name: "a", cells: 1 });
    const { number: before } = await worker.sync();
    await deafFor(60_000, before);
    const { grants, number } = await worker.sync({ heardReply: before });
    expect(grants).toEqual([]);
    expect(number).toBeGreaterThan(before);
    expect((await worker.sync({ heardReply: number })).grants).toHaveLength(1);
  });

  it("is granted cells again after a while when it is of a build that names none, and is trusted once it takes them up", async () => {
    await world.submit({ name: "a", cells: 1 });
    await deafFor(35_000);
    expect((await worker.sync()).grants).toEqual([]);
    await world.clock.advance(40_000);
    const { token } = await worker.take();
    expect((await worker.sync({ freeSlots: 0 })).renewals).toMatchObject([{ token }]);
    expect(listWorkers(hot())[0]!.activity).not.toContain("hear");
  });
});

describe("a lease", () => {
  it("lives while it is listed and ends one ttl after it was listed last; a begun one counts as lost", async () => {
    await world.submit({ name: "a", cells: 1 });
    await worker.take("train");
    for (let beat = 0; beat < 4; beat += 1) {
      await world.clock.advance(20_000);
      await worker.sync({ freeSlots: 0 });
    }
    expect(counts().running).toBe(1);
    await world.clock.advance(29_000);
    expect(counts().running).toBe(1);
    await world.clock.advance(2_000);
    expect(counts()).toMatchObject({ running: 0, pending: 1 });
    const [cell] = await world.store.loadPendingCells(0, 1);
    expect(cell).toMatchObject({ lost: 1, attempts: 1 });
  });

  it("that was only queued costs its cells nothing when it runs out", async () => {
    await world.submit({ name: "a", cells: 1 });
    await worker.take("queued");
    await world.clock.advance(31_000);
    expect((await world.store.loadPendingCells(0, 1))[0]).toMatchObject({ lost: 0, state: "pending" });
  });

  it("that has ended is revoked when its worker lists it still", async () => {
    await world.submit({ name: "a", cells: 1 });
    const { token } = await worker.take();
    await world.clock.advance(31_000);
    expect((await worker.sync({ freeSlots: 0 })).revocations).toMatchObject([{ token, cellIds: [] }]);
    worker.held = [{ token: leaseToken(77), phase: "train" }];
    expect((await worker.sync({ freeSlots: 0 })).revocations).toMatchObject([{ token: 77n, cellIds: [] }]);
  });

  it("does not end because the coordinator itself stood still for an hour", async () => {
    await world.submit({ name: "a", cells: 1 });
    await worker.take();
    // All timers of the hour come at once, at its end.
    const { clock } = world;
    const jump = clock.monotonicMs() + 3_600_000;
    clock.monotonicMs = () => Math.max(jump, clock.nowMs());
    await clock.advance(5_000);
    expect(counts().running).toBe(1);
  });
});

describe("a newer session of a worker", () => {
  it("fences the older and frees its leases at once", async () => {
    await world.submit({ name: "a", cells: 1 });
    const { token } = await worker.take();
    const newer = new HandWorker(() => world, "w1", "s2");
    const { grants } = await newer.sync();
    expect(grants[0]?.token).toBe(token + 1n);
    expect((await worker.sync()).fenced).toBe(true);
    expect((await newer.sync()).fenced).toBe(false);
  });

  it("is the newer also after a restart, whatever late message comes first", async () => {
    await worker.sync();
    const newer = new HandWorker(() => world, "w1", "s2");
    await newer.sync();
    world = await world.restart();
    expect((await worker.sync()).fenced).toBe(true);
    expect((await newer.sync()).fenced).toBe(false);
  });

  it("counts what the older was given as lost, also when it died before it could list it", async () => {
    await world.submit({ name: "poison", cells: 1 });
    for (const session of ["s1", "s2", "s3", "s4"]) await new HandWorker(() => world, "w1", session).sync();
    expect(counts()).toMatchObject({ quarantined: 1, pending: 0 });
  });

  it("wakes the older one that waits for work, to tell it", async () => {
    const waiting = worker.sync({ waitMs: 20_000 });
    await turns();
    await new HandWorker(() => world, "w1", "s2").sync();
    expect((await waiting).fenced).toBe(true);
  });
});

describe("waiting for work", () => {
  it("ends at once when work comes, for as many workers as there is work for", async () => {
    const answered: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const { grants } = await new HandWorker(() => world, `w${number}`, `s${number}`).sync({ waitMs: 9_000 });
      answered.push(grants.length);
    });
    await turns();
    expect(answered).toEqual([]);
    await world.submit({ name: "a", cells: 2 });
    await turns();
    expect(answered).toEqual([1, 1]);
    await world.clock.advance(9_000);
    await Promise.all(waiting);
    expect(answered).toEqual([1, 1, 0]);
  });

  it("ends after the time that the worker gives, and after the coordinator's own limit", async () => {
    for (const [waitMs, endsMs] of [
      [3_000, 3_000],
      [600_000, 25_000],
    ] as const) {
      let ended = false;
      const waiting = worker.sync({ waitMs }).then(() => (ended = true));
      await turns();
      await world.clock.advance(endsMs - 1);
      expect(ended).toBe(false);
      await world.clock.advance(1);
      await waiting;
    }
  });

  it("takes nothing for a caller that has gone", async () => {
    const caller = new AbortController();
    const waiting = worker.sync({ waitMs: 20_000 }, caller.signal);
    await turns();
    caller.abort();
    await waiting;
    await world.submit({ name: "a", cells: 1 });
    await turns();
    expect(counts().pending).toBe(1);
  });

  it("ends when the coordinator stops", async () => {
    const waiting = worker.sync({ waitMs: 20_000 });
    await turns();
    await world.coordinator.stop();
    await expect(waiting).resolves.toMatchObject({ grants: [] });
    await expect(worker.sync()).rejects.toMatchObject({ code: "unavailable" });
  });

  it("ends when a shard is revoked beside the free slot, once, and not again for the same", async () => {
    await world.submit({ name: "a", cells: 8 });
    const { token, cells } = await worker.take();
    await world.submit({ name: "b", cells: 1, from: 100 });
    const [a] = hot().sweeps.all();
    const thief = new HandWorker(() => world, "w2", "s2");
    thief.maxFuseWidth = 64;
    await thief.take();
    await thief.take();
    const waiting = worker.sync({ waitMs: 20_000 });
    await turns();
    await world.coordinator.sweeps.cancel(a!);
    expect((await waiting).revocations).toEqual([{ token, cellIds: [], reason: "its sweep was cancelled" }]);
    expect(cells).toHaveLength(4);
  });
});

describe("after a restart", () => {
  it("a lease is adopted when its worker lists it, and nothing runs twice", async () => {
    await world.submit({ name: "a", cells: 2 });
    const { token, cells } = await worker.take();
    await worker.result(cells[0]!, token);
    world = await world.restart();
    expect(counts()).toMatchObject({ leased: 1, committed: 1, pending: 0 });
    const { renewals, revocations } = await worker.sync({ freeSlots: 0 });
    expect(renewals).toEqual([{ token, ttlMs: 30_000 }]);
    expect(revocations).toEqual([]);
    expect(counts()).toMatchObject({ running: 1, committed: 1 });
    expect((await worker.result(cells[1]!, token)).outcome).toBe("committed");
    expect(hot().sweeps.all()[0]!.state).toBe("finished");
  });

  it("a lease that nobody claims within the window is free again, at no cost", async () => {
    await world.submit({ name: "a", cells: 1 });
    await worker.take();
    world = await world.restart();
    await world.clock.advance(29_000);
    expect(counts()).toMatchObject({ leased: 1, pending: 0 });
    await world.clock.advance(2_000);
    expect(counts()).toMatchObject({ leased: 0, pending: 1 });
    expect((await world.store.loadPendingCells(0, 1))[0]).toMatchObject({ lost: 0 });
  });

  it("a new session of its worker frees it at once", async () => {
    await world.submit({ name: "a", cells: 1 });
    await worker.take();
    world = await world.restart();
    worker.session = asSessionId("s2");
    worker.held = [];
    expect((await worker.sync()).grants).toMatchObject([{ token: 2n }]);
    expect((await world.store.findCells("", [hot().cells.all()[Symbol.iterator]().next().value!.id]))[0]).toMatchObject(
      {
        lost: 0,
      },
    );
  });

  it("tokens and epochs go on growing", async () => {
    await world.submit({ name: "a", cells: 8 });
    await worker.take();
    const { epoch } = hot();
    world = await world.restart();
    expect(hot().epoch).toBe(epoch + 1n);
    const [grant] = (await new HandWorker(() => world, "w2", "s2").sync()).grants;
    expect(grant!.token).toBe(2n);
  });
});

describe("a worker that dies of one cell", () => {
  it("three workers are lost to it, it is quarantined, and all other cells end well", async () => {
    const cells = 20;
    await world.submit({ name: "a", cells });
    let lost = 0;
    for (let round = 0; round < 40 && hot().sweeps.all()[0]!.state === "running"; round += 1) {
      const one = new HandWorker(() => world, "w1", `s${round}`);
      one.maxFuseWidth = 16;
      if ((await one.sync()).grants.length === 0) break;
      const shard = await one.take();
      const poison = (await world.store.listCells({ sweepSeq: 1, states: [], idPrefix: "" }, -1, 99))[7]!.id;
      if (shard.cells.includes(poison)) lost += 1;
      else for (const id of shard.cells) await one.result(id, shard.token);
    }
    expect(lost).toBe(3);
    expect(counts()).toMatchObject({ committed: cells - 1, quarantined: 1 });
    expect(hot().sweeps.all()[0]!.state).toBe("finished");
  });
});
