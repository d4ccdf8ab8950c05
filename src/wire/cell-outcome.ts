/** How an attempt of a cell ended <-> the commit that says so. */
import { z } from "zod";
import type { CommitRequest } from "../../proto/gen/occam/v1/control.ts";
import { canonicalJson } from "../core/canonical-json.ts";
import { OccamError } from "../core/errors.ts";
import { cellResultSchema, isCellResult, resultDigest, type CellResult } from "../result/cell-result.ts";
import { failureKind, type FailureName } from "./enums.ts";

export type CellOutcome =
  | {
      readonly kind: "result";
      readonly result: CellResult;
      /** Records on each stream of the attempt. */
      readonly metricCount: number;
      readonly logCount: number;
    }
  | { readonly kind: "failure"; readonly failure: FailureName; readonly reason: string }
  /** Given back unfinished: costs the cell nothing. */
  | { readonly kind: "handback"; readonly reason: string };

type WireOutcome = NonNullable<CommitRequest["outcome"]>;

export function outcomeToWire(outcome: CellOutcome): WireOutcome {
  switch (outcome.kind) {
    case "result": {
      const { result, metricCount, logCount } = outcome;
      return {
        $case: "result",
        value: {
          json: resultToJson(result),
          digest: resultDigest(result),
          metricCount: BigInt(metricCount),
          logCount: BigInt(logCount),
        },
      };
    }
    case "failure":
      return { $case: "failure", value: { kind: failureKind.toWire(outcome.failure), reason: outcome.reason } };
    case "handback":
      return { $case: "handback", value: { reason: outcome.reason } };
  }
}

/** Throws "protocol" for a result that is not valid or does not hash to its digest. */
export function outcomeFromWire(outcome: CommitRequest["outcome"]): CellOutcome {
  switch (outcome?.$case) {
    case undefined:
      throw new OccamError("protocol", "a commit without an outcome");
    case "result": {
      const { json, digest, metricCount, logCount } = outcome.value;
      const { result, digest: actual } = readResult(json);
      if (actual !== digest) throw new OccamError("protocol", `the result's digest is ${actual}, not ${digest}`);
      return { kind: "result", result, metricCount: Number(metricCount), logCount: Number(logCount) };
    }
    case "failure":
      return { kind: "failure", failure: failureKind.fromWire(outcome.value.kind), reason: outcome.value.reason };
    case "handback":
      return { kind: "handback", reason: outcome.value.reason };
  }
}

/** Figures that are not finite have no JSON; a result has none by its schema, and this throws if it had. */
export function resultToJson(result: CellResult): string {
  return canonicalJson(result);
}

/** A result and the digest that it has. */
export function readResult(json: string): { readonly result: CellResult; readonly digest: string } {
  const result = resultFromJson(json);
  return { result, digest: resultDigest(result) };
}

/** Of a text of `resultToJson` the fields stay in their order, which is that of the digest. */
export function resultFromJson(json: string): CellResult {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new OccamError("protocol", "a result is no JSON", { cause: error });
  }
  if (isCellResult(value)) return value;
  const parsed = cellResultSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new OccamError("protocol", `a result is not valid: ${z.prettifyError(parsed.error)}`);
}
