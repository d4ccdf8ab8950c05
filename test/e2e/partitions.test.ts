/** F6: networks that fail between real processes, with the timings that a cluster has: a lease lives for 30 s. */
import { afterAll, describe, expect, it } from "vitest";
import { startCutProxy, type CutProxy } from "../support/cut-proxy.ts";
import { Cluster, stateCounts } from "./support/cluster.ts";
import { pause } from "./support/occam.ts";

/** Each takes 0.6 s. */
const SLOW = [50, 51, 52, 53, 54, 55, 56, 57];

const proxies: CutProxy[] = [];
afterAll(() => {
  for (const proxy of proxies) proxy.close();
});

async function behindProxy(cluster: Cluster, id: string): Promise<CutProxy> {
  const proxy = await startCutProxy(cluster.port);
  proxies.push(proxy);
  await cluster.worker(id, { port: proxy.port }).ready;
  return proxy;
}

/** Every cell has a result, and all its points and lines, each once. */
async function expectWhole(cluster: Cluster): Promise<void> {
  const cells = await cluster.cells();
  expect(stateCounts(cells)).toMatchObject({ committed: SLOW.length, quarantined: 0, failed: 0 });
  const begun = (await cluster.lines()).filter(({ record }) => record!.message === "begins");
  const perAttempt = new Set(begun.map(({ cellId, attemptToken }) => `${cellId}/${attemptToken}`));
  expect(begun.length).toBe(perAttempt.size);
  expect(new Set(begun.map(({ cellId }) => cellId)).size).toBe(SLOW.length);
  const points = await cluster.points();
  for (const { cellId } of cells) expect([cellId, points.get(cellId)]).toEqual([cellId, [0, 1, 2, 3, 4]]);
}

describe.concurrent("F6 a partition", () => {
  it("F6 of 5 s takes no cell from its worker", async () => {
    const cluster = await Cluster.start();
    const proxy = await behindProxy(cluster, "w1");
    await cluster.submit(SLOW);
    await cluster.untilRunsOn("w1");
    proxy.hold("up", "down");
    await pause(5_000);
    proxy.release();
    await cluster.untilFinished();
    await expectWhole(cluster);
    expect((await cluster.cells()).map(({ attempts, lost }) => [attempts, lost])).toEqual(SLOW.map(() => [1, 0]));
  });

  it("F6 of 60 s gives its cells to another worker, once, and what comes late changes nothing", async () => {
    const cluster = await Cluster.start();
    const proxy = await behindProxy(cluster, "w1");
    await cluster.submit(SLOW);
    await cluster.untilRunsOn("w1");
    proxy.hold("up", "down");
    const held = await cluster.runningOn("w1");
    const other = cluster.worker("w2");
    await other.ready;
    await pause(60_000);
    await cluster.untilFinished();
    const before = await cluster.cells();
    proxy.release();
    await cluster.until(async () => (await cluster.lastSeenMs("w1")) > Date.now() - 10_000, "w1 is back");
    await pause(3_000);
    await expectWhole(cluster);
    const cells = await cluster.cells();
    expect(cells).toEqual(before);
    const again = cells.filter(({ attempts }) => attempts > 1);
    expect(again.map(({ attempts, lost, workerId }) => [attempts, lost, workerId])).toEqual(
      Array.from({ length: held }, () => [2, 1, "w2"]),
    );
  });

  it("F6 of 60 s of the only worker loses none of its work: what is late is taken, and its records have no gap", async () => {
    const cluster = await Cluster.start();
    const proxy = await behindProxy(cluster, "w1");
    await cluster.submit(SLOW);
    await cluster.untilRunsOn("w1");
    proxy.hold("up", "down");
    const held = await cluster.runningOn("w1");
    await cluster.until(async () => stateCounts(await cluster.cells()).lost === held, "the lease has ended");
    await pause(25_000);
    proxy.release();
    await cluster.untilFinished();
    await expectWhole(cluster);
    // Salvaged: nothing was computed twice, though the lease had ended.
    const late = (await cluster.cells()).filter(({ lost }) => lost > 0);
    expect(late.map(({ attempts, lost }) => [attempts, lost])).toEqual(Array.from({ length: held }, () => [1, 1]));
  });

  it("F6 one way, of 20 s, takes no cell from its worker, whichever way it is; nor does a slow network", async () => {
    const cluster = await Cluster.start();
    const [up, down, slow] = [
      await behindProxy(cluster, "up"),
      await behindProxy(cluster, "down"),
      await behindProxy(cluster, "slow"),
    ];
    slow.delay(300);
    await cluster.submit(SLOW);
    await Promise.all([cluster.untilRunsOn("up"), cluster.untilRunsOn("down")]);
    up.hold("up");
    down.hold("down");
    await pause(20_000);
    up.release();
    down.release();
    await cluster.untilFinished();
    await expectWhole(cluster);
    // A grant whose way was cut is taken back, at no cost; no worker counts as dead.
    expect(stateCounts(await cluster.cells())).toMatchObject({ lost: 0 });
  });

  it("F6 half open: the worker finds out by itself, comes back, and loses nothing", async () => {
    const cluster = await Cluster.start();
    const proxy = await behindProxy(cluster, "w1");
    await cluster.submit(SLOW);
    await cluster.untilRunsOn("w1");
    // Both connections are up: one that is cut off while it is being made is another matter.
    await cluster.until(async () => (await cluster.lines()).length > 0, "records come through");
    proxy.halfOpen();
    await cluster.untilFinished();
    await expectWhole(cluster);
  });
});
