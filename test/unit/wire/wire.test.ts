import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogRecord, MetricColumns } from "../../../proto/gen/occam/v1/common.ts";
import { CommitRequest, Grant } from "../../../proto/gen/occam/v1/control.ts";
import { asFuseKey, asLeaseToken } from "../../../src/core/ids.ts";
import { cellOf, type CellConfig } from "../../../src/spec/cell.ts";
import { configToJson, grantFromWire, grantToWire } from "../../../src/wire/cell-grant.ts";
import { outcomeFromWire, outcomeToWire, type CellOutcome } from "../../../src/wire/cell-outcome.ts";
import * as enums from "../../../src/wire/enums.ts";
import { logFromWire, logToWire } from "../../../src/wire/log-record.ts";
import { columnsToPoints, pointsToColumns } from "../../../src/wire/metric-columns.ts";
import { ESTIMATE } from "../../support/tiny-cells.ts";
import { wholeEstimate, wholeResult } from "../../support/whole-result.ts";

const CONFIG: CellConfig = {
  data: { kind: "moons", train: 64, noise: 0.1, seed: 0 },
  architecture: { kind: "mlp", activation: "tanh", bias: true },
  optimizer: { kind: "sgd", learningRate: 1e-7 },
  regulariser: { kind: "none" },
  seed: "18446744073709551615",
  train: { steps: 10, batch: 8, schedule: "cosine", evalEvery: 5, stopTrainLoss: null },
  estimate: ESTIMATE,
};

const RESULT = wholeResult({
  trainLoss: 0.125,
  testLoss: null,
  trainAccuracy: 1,
  testAccuracy: 0.5,
  estimate: wholeEstimate(),
});

describe("metric columns", () => {
  it("bring back every point over the wire, NaN and infinities included", () => {
    const point = fc.record({
      series: fc.constantFrom("train.loss", "test.loss", "chain.0", "λ"),
      step: fc.maxSafeNat(),
      value: fc.double(),
    });
    fc.assert(
      fc.property(fc.array(point, { size: "max", maxLength: 300 }), (points) => {
        const bytes = MetricColumns.encode(pointsToColumns(points)).finish();
        expect(columnsToPoints(MetricColumns.decode(bytes))).toEqual(points);
      }),
      { numRuns: 50 },
    );
  });

  it("name each series once", () => {
    const points = Array.from({ length: 100 }, (_, step) => ({ series: step % 2 === 0 ? "a" : "b", step, value: 0 }));
    expect(pointsToColumns(points).names).toEqual(["a", "b"]);
  });

  it("that do not fit together are refused", () => {
    const whole = pointsToColumns([{ series: "a", step: 1, value: 2 }]);
    expect(() => columnsToPoints({ ...whole, value: [] })).toThrow(/columns of 1 names, 1 steps, 0 values/);
    expect(() => columnsToPoints({ ...whole, name: [1] })).toThrow(/name 1 of 1/);
    expect(() => columnsToPoints({ ...whole, step: [2n ** 60n] })).toThrow(/step/);
  });
});

describe("log records", () => {
  it("bring back time, level, message and fields over the wire", () => {
    const fields = fc.option(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue(), { minKeys: 1 }), {
      nil: undefined,
    });
    const level = fc.constantFrom("debug" as const, "info" as const, "warn" as const, "error" as const);
    fc.assert(
      fc.property(fc.nat(), level, fc.string({ unit: "grapheme" }), fields, (timeMs, level, message, given) => {
        const clean = given === undefined ? undefined : (JSON.parse(JSON.stringify(given)) as Record<string, unknown>);
        const sent = LogRecord.encode(logToWire({ timeMs, level, message, fields: clean })).finish();
        const back = logFromWire(LogRecord.decode(sent));
        expect([back.timeMs, back.level, back.message]).toEqual([timeMs, level, message]);
        expect(JSON.stringify(back.fields)).toEqual(JSON.stringify(clean));
      }),
      { numRuns: 100 },
    );
  });

  it("are never refused for their fields", () => {
    const circular: Record<string, unknown> = { n: 1n };
    expect(logToWire({ timeMs: 0, level: "info", message: "", fields: circular }).fieldsJson).toBe('{"n":"1"}');
    circular["self"] = circular;
    expect(logToWire({ timeMs: 0, level: "info", message: "", fields: circular }).fieldsJson).toBe(
      '{"unreadable":"n, self"}',
    );
    expect(logFromWire({ timeMs: 0n, level: 2, message: "m", fieldsJson: "{oops" }).fields).toEqual({
      unreadable: "{oops",
    });
  });
});

describe("grants", () => {
  const grant = {
    token: asLeaseToken(7n),
    ttlMs: 30_000,
    fuseKey: asFuseKey("0123456789abcdef"),
    traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
    cells: [{ cell: cellOf(CONFIG), attempt: 2 }],
  };

  it("bring back every cell with the same id", () => {
    const bytes = Grant.encode(grantToWire(grant)).finish();
    expect(grantFromWire(Grant.decode(bytes))).toEqual(grant);
  });

  it("whose configuration is not that of the id are refused, with a hint", () => {
    const wire = grantToWire(grant);
    const other = { ...wire.cells[0]!, configJson: configToJson({ ...CONFIG, seed: "2" }) };
    expect(() => grantFromWire({ ...wire, cells: [other] })).toThrow(
      expect.objectContaining({ code: "protocol", hint: "run coordinator and workers of one version" }) as Error,
    );
  });

  it.each([
    ["no JSON", "{", /no JSON/],
    ["a field too many", JSON.stringify({ ...CONFIG, extra: 1 }), /extra/],
    ["a nested field", JSON.stringify({ ...CONFIG, data: { kind: "x", deep: {} } }), /deep/],
    ["a fractional step count", JSON.stringify({ ...CONFIG, train: { ...CONFIG.train, steps: 1.5 } }), /steps/],
  ])("with %s are refused", (_name, configJson, message) => {
    const wire = grantToWire(grant);
    expect(() => grantFromWire({ ...wire, cells: [{ ...wire.cells[0]!, configJson }] })).toThrow(message);
  });
});

describe("commits", () => {
  const outcomes: readonly CellOutcome[] = [
    { kind: "result", result: RESULT, metricCount: 12, logCount: 0 },
    { kind: "failure", failure: "out-of-memory", reason: "wasm memory" },
    { kind: "handback", reason: "drain" },
  ];

  it.each(outcomes.map((outcome) => [outcome.kind, outcome] as const))("bring back a %s", (_kind, outcome) => {
    const request = CommitRequest.fromPartial({ token: 1n });
    const bytes = CommitRequest.encode({ ...request, outcome: outcomeToWire(outcome) }).finish();
    expect(outcomeFromWire(CommitRequest.decode(bytes).outcome)).toEqual(outcome);
  });

  it("whose result does not hash to its digest, or is none, are refused", () => {
    const wire = outcomeToWire(outcomes[0]!);
    if (wire.$case !== "result") throw new Error("not a result");
    const json = wire.value.json.replace('"trainLoss":0.125', '"trainLoss":0.25');
    expect(() => outcomeFromWire({ $case: "result", value: { ...wire.value, json } })).toThrow(/digest/);
    expect(() => outcomeFromWire({ $case: "result", value: { ...wire.value, json: "{}" } })).toThrow(/not valid/);
    expect(() => outcomeFromWire(undefined)).toThrow(/without an outcome/);
  });
});

describe("enumerations", () => {
  const tables = {
    logLevel: [enums.logLevel, ["debug", "info", "warn", "error"]],
    cellState: [enums.cellState, ["pending", "leased", "running", "committed", "quarantined", "cancelled"]],
    leasePhase: [enums.leasePhase, ["queued", "train", "estimate", "upload"]],
  } as const;

  it.each(Object.keys(tables) as (keyof typeof tables)[])(
    "%s: every word has its own number and comes back",
    (name) => {
      const [table, words] = tables[name] as unknown as readonly [
        { toWire(word: string): number; fromWire(value: number): string },
        readonly string[],
      ];
      const numbers = words.map((word) => table.toWire(word));
      expect(new Set(numbers).size).toBe(words.length);
      expect(numbers.map((value) => table.fromWire(value))).toEqual(words);
      expect(() => table.fromWire(0)).toThrow(/this version knows/);
      expect(() => table.fromWire(99)).toThrow(/99/);
    },
  );
});
