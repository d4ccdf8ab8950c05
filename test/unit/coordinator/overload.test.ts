import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Coordinator } from "../../../coordinator/coordinator.ts";
import {
  afterLook,
  LEAVE_LOOKS,
  NO_OVERLOAD,
  nextSyncMs,
  REFUSE_LOOKS,
  STRETCH_LOOKS,
  type Overload,
} from "../../../coordinator/hot/overload.ts";
import { NO_METER } from "../../../coordinator/meter.ts";
import { openMemoryStore } from "../../../coordinator/store/sqlite/open-sqlite.ts";
import { DEFAULT_TIMINGS } from "../../../coordinator/timings.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { quietLogger } from "../../support/quiet-logger.ts";
import { HandWorker, madeUpSpecs, specText } from "./coordinator-fixture.ts";

const after = (...loads: number[]): Overload => loads.reduce(afterLook, NO_OVERLOAD);
const times = (count: number, load: number): number[] => Array.from({ length: count }, () => load);

describe("overload", () => {
  it("is entered after so many looks in a row, a level after the other, and left as a whole", () => {
    expect(after(...times(STRETCH_LOOKS - 1, 1)).level).toBe("none");
    expect(after(...times(STRETCH_LOOKS, 1)).level).toBe("stretch");
    expect(after(...times(STRETCH_LOOKS - 1, 1), 0.8, ...times(STRETCH_LOOKS - 1, 1)).level).toBe("none");
    expect(after(...times(REFUSE_LOOKS, 0.9)).level).toBe("refuse");
    expect(after(...times(REFUSE_LOOKS, 1), ...times(LEAVE_LOOKS - 1, 0.7)).level).toBe("refuse");
    expect(after(...times(REFUSE_LOOKS, 1), ...times(LEAVE_LOOKS, 0.7)).level).toBe("none");
  });

  it("does not change at a load that goes up and down between its limits, or over one of them and back", () => {
    const loads = fc.array(fc.double({ min: 0.71, max: 1, noNaN: true }), { size: "max", maxLength: 200 });
    fc.assert(
      fc.property(loads, (some) => {
        let state = after(...times(REFUSE_LOOKS, 1));
        for (const load of some) expect((state = afterLook(state, load)).level).toBe("refuse");
      }),
    );
    let state = NO_OVERLOAD;
    for (let look = 0; look < 200; look += 1)
      expect((state = afterLook(state, look % 4 === 0 ? 0.5 : 1)).level).toBe("none");
  });

  it("puts the next sync off, with the workers' spread never further than a third of a lease's ttl", () => {
    const stretched = after(...times(STRETCH_LOOKS, 1));
    expect(nextSyncMs(NO_OVERLOAD, 5_000, 30_000)).toBe(5_000);
    expect(nextSyncMs(stretched, 5_000, 30_000)).toBe(8_333);
    expect(nextSyncMs(stretched, 1_000, 30_000)).toBe(2_000);
    expect(nextSyncMs(stretched, 5_000, 30_000) * 1.2).toBeLessThanOrEqual(DEFAULT_TIMINGS.leaseTtlMs / 3);
  });
});

it("a coordinator that is overloaded refuses new sweeps with a hint, knows those that it has, renews and commits", async () => {
  const [store, clock] = [await openMemoryStore(), new FakeClock()];
  let load = 0;
  const shed: string[] = [];
  const meter = { ...NO_METER, shed: (what: string) => shed.push(what) };
  const options = { store, clock, logger: quietLogger, specs: madeUpSpecs, meter, load: () => load };
  const coordinator = await Coordinator.open({ ...options, timings: { gatherMs: 0 } });
  const submit = (name: string) =>
    coordinator.sweeps.submit({ specText: specText({ name, cells: 1 }), fileName: "x", noCache: false, requestId: "" });
  await submit("first");
  load = 1;
  await clock.advance(1_000 * (REFUSE_LOOKS + 1));
  await expect(submit("second")).rejects.toMatchObject({
    code: "resource-exhausted",
    hint: expect.stringContaining("try again in a minute"),
  });
  expect([(await submit("first")).created, shed]).toEqual([false, ["submit"]]);
  const worker = new HandWorker(() => ({ coordinator }) as never);
  const { token, cells } = await worker.take();
  expect((await worker.result(cells[0]!, token)).outcome).toBe("committed");
  load = 0.5;
  await clock.advance(1_000 * (LEAVE_LOOKS + 1));
  expect((await submit("second")).created).toBe(true);
  await coordinator.stop();
  await store.close();
});
