import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { WorkerNews } from "../../../coordinator/hot/worker-news.ts";

const { signal } = new AbortController();

describe("news of work", () => {
  it("wake the one that has waited longest, and the next when that passes it on", async () => {
    const news = new WorkerNews();
    const woken: string[] = [];
    const waits = ["w1", "w2", "w3"].map(async (id) => {
      await news.wait(id).woken(signal);
      woken.push(id);
    });
    news.work();
    await waits[0];
    expect(woken).toEqual(["w1"]);
    news.passOn();
    await waits[1];
    expect(woken).toEqual(["w1", "w2"]);
  });

  it("are not lost on one that does not wait at the moment", async () => {
    const news = new WorkerNews();
    const place = news.wait("w1");
    news.work();
    await place.woken(signal);
  });

  it("leave nothing behind on the signal of a wait that is woken again and again", async () => {
    const news = new WorkerNews();
    const { signal: own } = new AbortController();
    const place = news.wait("w1");
    for (let time = 0; time < 20; time += 1) {
      const woken = place.woken(own);
      news.work();
      await woken;
    }
    expect(getEventListeners(own, "abort")).toEqual([]);
  });
});

describe("news of a worker", () => {
  it("wake its own sync alone", async () => {
    const news = new WorkerNews();
    let others = 0;
    void news.wait("w2").woken(signal).then(() => (others += 1)); // prettier-ignore
    const own = news.wait("w1").woken(signal);
    news.ofWorker("w1");
    await own;
    expect(others).toBe(0);
  });
});
