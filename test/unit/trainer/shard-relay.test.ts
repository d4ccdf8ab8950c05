import { describe, expect, test } from "vitest";
import { tinyCell } from "../../support/tiny-cells.ts";
import { ShardRelay } from "../../../worker/trainer/shard-relay.ts";
import type { MetricPoint, ShardEvents, ShardProgress } from "../../../worker/trainer/shard.ts";

const [a, b] = [tinyCell({ seed: 1 }).id, tinyCell({ seed: 2 }).id];
const RESULT = {} as Parameters<ShardEvents["result"]>[1];

function relayed(): { readonly relay: ShardRelay; readonly told: unknown[]; readonly progress: ShardProgress[] } {
  const told: unknown[] = [];
  const progress: ShardProgress[] = [];
  const events: ShardEvents = {
    progress: (at) => progress.push(at),
    metrics: (id, points) => told.push([id, points.map(({ series, step }) => `${series} ${step}`)]),
    log: (id, level, message) => told.push([id, level, message]),
    result: (id) => told.push([id, "result"]),
    failed: (id, kind) => told.push([id, kind]),
  };
  return { relay: new ShardRelay(events, [a, b]), told, progress };
}

const points = (series: string, ...steps: number[]): readonly MetricPoint[] =>
  steps.map((step) => ({ series, step, value: 1 }));

describe("what a shard says", () => {
  test("has each point once, though a cell runs again from its start", () => {
    const { relay, told } = relayed();
    relay.metrics(a, [...points("loss", 0, 10), ...points("other", 0)]);
    relay.metrics(a, points("loss", 0, 10));
    relay.metrics(a, [...points("loss", 10, 20), ...points("other", 5)]);
    relay.metrics(b, points("loss", 0));
    expect(told).toEqual([
      [a, ["loss 0", "loss 10", "other 0"]],
      [a, ["loss 20", "other 5"]],
      [b, ["loss 0"]],
    ]);
  });

  test("has one outcome for each cell", () => {
    const { relay, told } = relayed();
    relay.result(a, RESULT);
    relay.result(a, RESULT);
    relay.failed(a, "error", "late");
    expect([relay.isOpen(a), relay.isOpen(b)]).toEqual([false, true]);
    relay.failed(b, "out-of-memory", "too large");
    relay.failed(b, "error", "again");
    expect(told).toEqual([
      [a, "result"],
      [b, "out-of-memory"],
    ]);
  });

  test("counts the steps of a program for the share of the shard that it is", () => {
    const { relay, progress } = relayed();
    const at = (step: number): void => relay.progress({ phase: "train", step, steps: 100, live: 1 });
    relay.begin(1);
    at(50);
    at(100);
    relay.result(a, RESULT);
    relay.begin(1);
    at(50);
    at(100);
    expect(progress.map(({ step }) => step)).toEqual([25, 50, 50, 100]);
    relay.result(b, RESULT);
    at(100);
    expect(progress.at(-1)).toEqual({ phase: "train", step: 100, steps: 100, live: 1 });
  });
});
