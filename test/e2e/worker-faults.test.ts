/** Faults of workers as processes: killed, stopped, poisoned, replaced, reclaimed. Timings are those of a cluster. */
import { describe, expect, it } from "vitest";
import { EXIT } from "../../src/core/errors.ts";
import { Cluster, stateCounts, type WorkerProcess } from "./support/cluster.ts";
import { pause } from "./support/occam.ts";

/** Each takes 0.6 s. */
const SLOW = [50, 51, 52, 53, 54, 55, 56, 57];
/** Takes its worker along. */
const POISON = 16;

const attemptsOf = async (cluster: Cluster) => (await cluster.cells()).map(({ attempts, lost }) => [attempts, lost]);

describe.concurrent("workers under fault", () => {
  it("F1 SIGKILL of a worker mid-cell: its cells run elsewhere within 35 s, each is done once", async () => {
    const cluster = await Cluster.start();
    const [victim, heir] = [cluster.worker("w1"), cluster.worker("w2")];
    await Promise.all([victim.ready, heir.ready]);
    await cluster.submit(SLOW);
    await cluster.untilRunsOn("w1");
    victim.signal("SIGKILL");
    await victim.ended;
    const held = await cluster.runningOn("w1");
    const reLeased = async () => (await cluster.cells()).filter(({ attempts }) => attempts > 1).length === held;
    const tookMs = await cluster.until(reLeased, "its cells are leased again");
    expect(tookMs).toBeLessThan(35_000);
    await cluster.untilFinished();
    expect(stateCounts(await cluster.cells())).toEqual({ committed: 8, quarantined: 0, lost: held, failed: 0 });
    expect(held).toBeGreaterThan(0);
    heir.signal("SIGTERM");
    expect((await heir.ended).code).toBe(EXIT.drained);
  });

  it("F7 SIGSTOP of a worker for longer than its lease, then SIGCONT: every cell is committed once", async () => {
    const cluster = await Cluster.start();
    const sleeper = cluster.worker("w1");
    await sleeper.ready;
    await cluster.submit(SLOW);
    await cluster.untilRunsOn("w1");
    sleeper.signal("SIGSTOP");
    const held = await cluster.runningOn("w1");
    await cluster.worker("w2").ready;
    await cluster.until(async () => stateCounts(await cluster.cells()).lost === held, "its lease has ended");
    await cluster.untilFinished();
    const before = await cluster.cells();
    sleeper.signal("SIGCONT");
    await cluster.until(async () => (await cluster.lastSeenMs("w1")) > Date.now() - 5_000, "it is back");
    await pause(3_000);
    expect(await cluster.cells()).toEqual(before);
    expect(stateCounts(before)).toEqual({ committed: 8, quarantined: 0, lost: held, failed: 0 });
    expect(await cluster.check()).toContain("whole");
  });

  it("F10 a cell that kills its worker is quarantined with three workers, and all others are done", async () => {
    const cluster = await Cluster.start();
    let deaths = 0;
    const over = new AbortController();
    // A supervisor, which starts a dead worker again under the same id.
    const supervise = async (id: string): Promise<void> => {
      while (!over.signal.aborted) {
        const worker = cluster.worker(id);
        const { signal } = await worker.ended;
        if (signal === "SIGKILL" && !over.signal.aborted) deaths += 1;
      }
    };
    await cluster.submit([POISON, 1, 2, 3, 4, 5, 6, 7]);
    const supervisors = ["w1", "w2"].map(supervise);
    const { counts } = await cluster.untilFinished();
    over.abort();
    expect(counts).toMatchObject({ committed: 7, quarantined: 1 });
    expect(deaths).toBeLessThanOrEqual(3);
    const [poison] = (await cluster.cells()).filter(({ reason }) => reason !== "");
    expect(poison).toMatchObject({ lost: 3, failed: 0, reason: expect.stringContaining("its worker died 3 times") });
    const log = (await cluster.lines()).filter(({ cellId }) => cellId === poison!.cellId);
    expect(log.map(({ record }) => record!.message)).toContain(`quarantined: ${poison!.reason}`);
    await cluster.close();
    await Promise.all(supervisors);
  });

  it("F11 a bad node: after three cells it gets no more, and those three are done elsewhere", async () => {
    const cluster = await Cluster.start({ timings: { retryMs: 200 } });
    await cluster.worker("good", { maxFuseWidth: 1 }).ready;
    await cluster.submit(SLOW, [0.1, 0.2]);
    await cluster.until(async () => (await cluster.sweep()).counts!.committed > 0, "the good one has done a cell");
    await cluster.worker("bad", { maxFuseWidth: 1, isBad: true }).ready;
    await cluster.until(async () => (await cluster.brokenReason("bad")) !== "", "the bad one is broken");
    expect(await cluster.brokenReason("bad")).toContain("the device has fallen off the bus");
    await cluster.untilFinished();
    const cells = await cluster.cells();
    // What it had in hand when the third failed may fail with it.
    const { failed, ...counts } = stateCounts(cells);
    expect(counts).toEqual({ committed: 16, quarantined: 0, lost: 0 });
    expect(failed).toBeGreaterThanOrEqual(3);
    expect(failed).toBeLessThanOrEqual(5);
    expect(cells.filter((cell) => cell.failed > 0)).toHaveLength(failed);
    expect(await cluster.brokenReason("good")).toBe("");
  });

  it("F17 a rolling upgrade, coordinator first and then the workers one by one, while a sweep runs: no cell fails", async () => {
    const old = { oldest: 1, newest: 2 };
    const fresh = { oldest: 2, newest: 3 };
    const cluster = await Cluster.start({ protocol: old });
    const workers = ["w1", "w2"].map((id) => cluster.worker(id, { protocol: old, maxFuseWidth: 2 }));
    await Promise.all(workers.map(({ ready }) => ready));
    // Enough that the sweep still runs when the last worker is replaced, on a busy machine too: cells wait, they do not compute.
    const rates = Array.from({ length: 8 }, (_, index) => (1 + index) / 10);
    await cluster.submit(SLOW, rates);
    await cluster.untilRunsOn("w1");
    await cluster.upgrade({ protocol: fresh });
    for (const before of workers) {
      await cluster.untilRunsOn(before.id);
      before.signal("SIGTERM");
      expect((await before.ended).code).toBe(EXIT.drained);
      await cluster.worker(before.id, { protocol: fresh, maxFuseWidth: 2 }).ready;
    }
    await cluster.untilFinished();
    expect(stateCounts(await cluster.cells())).toEqual({
      committed: SLOW.length * rates.length,
      quarantined: 0,
      lost: 0,
      failed: 0,
    });
    expect(await cluster.check()).toContain("whole");
  });

  it("F18 workers that are drained hand their cells back; half of the others reclaimed, none waits for a lease to end", async () => {
    const cluster = await Cluster.start();
    const ids = ["w1", "w2", "w3", "w4"];
    const workers: WorkerProcess[] = ids.map((id) => cluster.worker(id, { maxFuseWidth: 2 }));
    await Promise.all(workers.map(({ ready }) => ready));
    await cluster.submit(SLOW, [0.1, 0.2, 0.3, 0.4]);
    await Promise.all(ids.map((id) => cluster.untilRunsOn(id)));
    // Scale-in: with notice, and all the time it needs.
    workers[0]!.signal("SIGTERM");
    expect((await workers[0]!.ended).code).toBe(EXIT.drained);
    expect(stateCounts(await cluster.cells())).toMatchObject({ lost: 0, failed: 0 });
    // Half of the nodes are reclaimed: notice, and then the end.
    for (const worker of workers.slice(1, 3)) worker.signal("SIGTERM");
    await pause(2_000);
    for (const worker of workers.slice(1, 3)) worker.signal("SIGKILL");
    const ends = await Promise.all(workers.slice(1, 3).map(({ ended }) => ended));
    const killed = ends.filter(({ signal }) => signal === "SIGKILL").length;
    await cluster.untilFinished();
    const { committed, quarantined, failed, lost } = stateCounts(await cluster.cells());
    expect([committed, quarantined, failed]).toEqual([32, 0, 0]);
    expect(lost).toBeLessThanOrEqual(2 * killed);
    expect((await attemptsOf(cluster)).every(([attempts, lost]) => attempts! - lost! >= 1)).toBe(true);
  });
});
