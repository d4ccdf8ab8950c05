import { beforeEach, expect, describe, it } from "vitest";
import { asCellId, type CellId, type LeaseToken } from "../../../src/core/ids.ts";
import { cellIdOf, HandWorker, openWorld, type World } from "./coordinator-fixture.ts";

let world: World;

beforeEach(async () => {
  world = await openWorld();
});

const sweep = () => world.coordinator.hot.sweeps.all()[0]!;
const stored = async (number: number) =>
  (await world.store.listCells({ sweepSeq: 1, states: [], idPrefix: cellIdOf(number) }, -1, 1))[0]!;

interface Taken {
  readonly token: LeaseToken;
  readonly cells: readonly CellId[];
}

describe("F10 a poison cell that kills before its grant was listed", () => {
  /** A new worker each time, under a new id, or under one id and later than the accept time. */
  async function lives(idOf: (life: number) => string, act: (worker: HandWorker, taken: Taken) => Promise<void>) {
    for (let life = 1; life <= 60 && sweep().state === "running"; life += 1) {
      const worker = new HandWorker(() => world, idOf(life), `session ${life}`);
      for (;;) {
        const [grant] = (await worker.sync()).grants;
        if (grant === undefined) break;
        const taken = { token: grant.token, cells: grant.cells.map(({ cellId }) => asCellId(cellId)) };
        // Its first word after that would be the listing.
        if (taken.cells.includes(cellIdOf(1))) break;
        await act(worker, taken);
      }
      await world.clock.advance(15_000);
    }
  }

  it.each([
    ["new ids", (life: number) => `pod-${life}`],
    ["one id", () => "w1"],
  ])(
    "is granted alone after three workers (%s), and quarantined after three more; all others finish",
    async (_, idOf) => {
      await world.submit({ name: "a", cells: 4 });
      await lives(idOf, async (worker, taken) => {
        worker.held = [{ token: taken.token, phase: "train" }];
        await worker.sync({ freeSlots: 0 });
        worker.held = [];
        for (const id of taken.cells) await worker.result(id, taken.token);
      });
      expect(sweep()).toMatchObject({ state: "finished", counts: { committed: 3, quarantined: 1 } });
      const { reason, attempts } = await stored(1);
      expect(reason).toMatch(/^6 workers in a row, the last 3 with this cell alone, were not heard of again/u);
      expect(attempts).toBe(6);
    },
  );

  it("is not what a cell is taken for that a worker took up in between, or whose worker is heard of", async () => {
    await world.submit({ name: "a", cells: 1 });
    for (let life = 1; life <= 20; life += 1) {
      const worker = new HandWorker(() => world, `pod-${life}`, `session ${life}`);
      const [grant] = (await worker.sync()).grants;
      if (life % 5 === 0) {
        worker.held = [{ token: grant!.token, phase: "queued" }];
        await worker.sync({ freeSlots: 0 });
        await world.clock.advance(31_000);
      } else if (life % 5 === 4) {
        await world.clock.advance(5_000);
        await worker.sync();
        await world.clock.advance(6_000);
      } else await world.clock.advance(11_000);
    }
    expect(sweep().counts).toMatchObject({ pending: 1, quarantined: 0 });
  });
});
