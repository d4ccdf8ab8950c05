import { setMaxListeners } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { SyncRequest, SyncResponse } from "../../../proto/gen/occam/v1/control.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { rootKey } from "../../../src/core/random.ts";
import { SyncLoop } from "../../../worker/session/sync-loop.ts";
import { DEFAULT_TIMINGS } from "../../../worker/session/timings.ts";
import { FakeClock } from "../../support/fake-clock.ts";

interface Call {
  readonly atMs: number;
  readonly request: SyncRequest;
  readonly deadlineMs: number;
  readonly answer: (response?: Partial<SyncResponse>) => void;
  readonly fail: (error: Error) => void;
  aborted: boolean;
}

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A loop against a coordinator whose answers the test gives, or that answers at once. */
function start(options: { auto?: Partial<SyncResponse>; freeSlots?: number; held?: SyncRequest["held"] } = {}) {
  const clock = new FakeClock();
  const startMs = clock.monotonicMs();
  const calls: Call[] = [];
  const applied: SyncResponse[] = [];
  const reach: (string | undefined)[] = [];
  const worker = { freeSlots: options.freeSlots ?? 0, held: options.held ?? [], draining: false };
  let open = 0;
  let mostOpen = 0;
  const loop = new SyncLoop({
    sync: (request, deadlineMs, signal) => {
      mostOpen = Math.max(mostOpen, (open += 1));
      return new Promise<SyncResponse>((resolve, reject) => {
        const call: Call = {
          atMs: clock.monotonicMs() - startMs,
          request,
          deadlineMs,
          answer: (response = {}) => resolve(SyncResponse.fromPartial(response as never)),
          fail: reject,
          aborted: false,
        };
        signal.addEventListener("abort", () => {
          call.aborted = true;
          reject(new OccamError("cancelled", "aborted"));
        });
        calls.push(call);
        if (options.auto !== undefined) call.answer(options.auto);
      }).finally(() => (open -= 1));
    },
    state: () => SyncRequest.fromPartial({ workerId: "w", ...worker } as never),
    apply: (response) => applied.push(response),
    clock,
    key: rootKey("sync loop test"),
    timings: DEFAULT_TIMINGS,
    onReach: (lost) => reach.push(lost),
  });
  const life = new AbortController();
  // The fake clock leaves its listeners on the signal.
  setMaxListeners(0, life.signal);
  stops.push(() => life.abort());
  const running = loop.run(life.signal);
  running.catch(() => undefined);
  return { clock, calls, applied, reach, worker, loop, running, life, mostOpen: () => mostOpen };
}

const lost = new OccamError("unavailable", "refused");
const gaps = (calls: readonly Call[]): number[] => calls.slice(1).map((call, i) => call.atMs - calls[i]!.atMs);

describe("the sync loop", () => {
  it("beats every 5 s +- 20 %, not in step", async () => {
    const { clock, calls } = start({ auto: {} });
    await clock.advance(0);
    await clock.advance(200_000);
    const waits = gaps(calls);
    expect(waits.length).toBeGreaterThan(30);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(4_000);
    expect(Math.max(...waits)).toBeLessThanOrEqual(6_000);
    expect(new Set(waits.map((wait) => Math.round(wait))).size).toBeGreaterThan(20);
  });

  it("beats at the interval that the coordinator asks for", async () => {
    const { clock, calls } = start({ auto: { nextSyncMs: 1_000 } });
    await clock.advance(0);
    await clock.advance(20_000);
    expect(calls.length).toBeGreaterThan(15);
    expect(calls.length).toBeLessThan(26);
  });

  it("names the last answer that arrived", async () => {
    const { clock, calls } = start();
    await clock.advance(0);
    calls[0]!.answer({ replyNumber: 77n });
    await clock.advance(0);
    while (calls.length < 2) await clock.advance(100);
    calls[1]!.fail(lost);
    while (calls.length < 3) await clock.advance(100);
    expect(calls.map(({ request }) => request.heardReply)).toEqual([0n, 77n, 77n]);
  });

  it("syncs at once when something changed, and gathers changes while a sync is under way", async () => {
    const { clock, calls, loop, worker, mostOpen } = start();
    await clock.advance(0);
    for (let i = 0; i < 10; i += 1) loop.changed();
    worker.held = [{ token: 5n, phase: 1, step: 0n, steps: 0n }];
    expect(calls).toHaveLength(1);
    calls[0]!.answer();
    await clock.advance(0);
    await clock.advance(0);
    expect(calls).toHaveLength(2);
    expect(calls[1]!.request.held.map(({ token }) => token)).toEqual([5n]);
    calls[1]!.answer();
    await clock.advance(3_000);
    expect(calls).toHaveLength(2);
    expect(mostOpen()).toBe(1);
  });

  it("tries again within a beat while it holds leases, however often the coordinator was out of reach", async () => {
    const afterFailures = async (held: SyncRequest["held"]) => {
      const { clock, calls } = start({ held });
      for (let i = 0; i < 12; i += 1) {
        await clock.advance(0);
        while (calls.length <= i) await clock.advance(100);
        calls[i]!.fail(lost);
      }
      return { longestMs: Math.max(...gaps(calls)), deadlines: new Set(calls.map(({ deadlineMs }) => deadlineMs)) };
    };
    const idle = await afterFailures([]);
    const busy = await afterFailures([{ token: 5n, phase: 2, step: 0n, steps: 0n }]);
    expect([...idle.deadlines]).toEqual([DEFAULT_TIMINGS.callTimeoutMs]);
    expect([...busy.deadlines]).toEqual([DEFAULT_TIMINGS.heartbeatMs]);
    expect(idle.longestMs).toBeGreaterThan(DEFAULT_TIMINGS.heartbeatMs);
    expect(busy.longestMs).toBeLessThanOrEqual(DEFAULT_TIMINGS.heartbeatMs + 100);
  });

  it("lets the coordinator hold it back when it is idle, and only until the next beat when it holds leases", async () => {
    const idle = start({ freeSlots: 1 });
    await idle.clock.advance(0);
    expect(idle.calls[0]!.request.waitMs).toBe(DEFAULT_TIMINGS.longPollMs);
    const busy = start({ freeSlots: 1, held: [{ token: 5n, phase: 2, step: 0n, steps: 0n }] });
    await busy.clock.advance(0);
    expect(busy.calls[0]!.request.waitMs).toBeGreaterThanOrEqual(4_000);
    expect(busy.calls[0]!.request.waitMs).toBeLessThanOrEqual(6_000);
    const full = start();
    await full.clock.advance(0);
    expect(full.calls[0]!.request.waitMs).toBe(0);
  });

  it("cuts a long poll short for a change, and polls on at once after one that was held back", async () => {
    const { clock, calls, loop } = start({ freeSlots: 1 });
    await clock.advance(1_000);
    loop.changed();
    await clock.advance(0);
    expect([calls.length, calls[0]!.aborted]).toEqual([2, true]);
    await clock.advance(20_000);
    calls[1]!.answer();
    await clock.advance(0);
    await clock.advance(0);
    expect(calls).toHaveLength(3);
  });

  it("does not flood a coordinator that answers polls at once", async () => {
    const { clock, calls } = start({ freeSlots: 1, auto: {} });
    await clock.advance(0);
    await clock.advance(10_000);
    expect(calls.length).toBeLessThanOrEqual(10_000 / DEFAULT_TIMINGS.pollGapMs + 1);
    expect(calls.length).toBeGreaterThan(10);
  });

  it("waits with growing jitter while the coordinator is gone, and says when it goes and comes", async () => {
    const { clock, calls, reach, loop, applied } = start();
    for (let i = 0; i < 12; i += 1) {
      await clock.advance(0);
      while (calls.length <= i) await clock.advance(100);
      calls[i]!.fail(lost);
      // A change must not shorten the wait.
      loop.changed();
      await clock.advance(0);
    }
    const waits = gaps(calls);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(250);
    expect(Math.max(...waits)).toBeLessThanOrEqual(15_100);
    expect(Math.max(...waits)).toBeGreaterThan(3_000);
    expect(reach).toEqual(["refused"]);
    while (calls.length < 13) await clock.advance(100);
    calls[12]!.answer();
    await clock.advance(0);
    expect(reach).toEqual(["refused", undefined]);
    expect(applied).toHaveLength(1);
  });

  it("does not follow a coordinator that was replaced", async () => {
    const { clock, calls, applied } = start();
    for (const [i, epoch] of [3n, 2n, 3n, 4n].entries()) {
      while (calls.length <= i) await clock.advance(500);
      calls[i]!.answer({ coordinatorEpoch: epoch });
      await clock.advance(0);
    }
    expect(applied.map(({ coordinatorEpoch }) => coordinatorEpoch)).toEqual([3n, 3n, 4n]);
  });

  it.each(["unauthenticated", "permission-denied", "protocol", "unsupported"] as const)(
    "ends by an error that no repetition mends: %s",
    async (code) => {
      const { clock, calls, running } = start();
      await clock.advance(0);
      calls[0]!.fail(new OccamError(code, "no"));
      await expect(running).rejects.toMatchObject({ code });
    },
  );

  it("ends when the session ends, whatever it waits for", async () => {
    for (const freeSlots of [0, 1]) {
      const { clock, running, life, calls } = start({ freeSlots });
      await clock.advance(0);
      life.abort();
      await running;
      expect(calls[0]!.aborted).toBe(true);
    }
  });
});
