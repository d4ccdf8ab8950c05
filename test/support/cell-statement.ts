/** Everything that a shard says of one cell but for times, and whether two shards say the same of it. */
import { expect } from "vitest";
import { canonicalJson } from "../../src/core/canonical-json.ts";
import { resultDigest, type CellResult } from "../../src/result/cell-result.ts";
import type { Cell } from "../../src/spec/cell.ts";
import type { RecordedShard } from "./shard-recorder.ts";
import { BITWISE } from "./test-backend.ts";

export interface Statement {
  /** Of every bit. */
  readonly digest: string;
  /** How it ended. */
  readonly outcome: string;
  /** Losses, draws, what was estimated from them, by name. */
  readonly numbers: ReadonlyMap<string, number>;
}

/**
 * Of a number, or of 1 where it is smaller: losses and excess losses are compared as they are. Seen on tensorflow, over every
 * architecture and optimizer, after some ten steps and draws: 4e-6, of a chain's draw.
 */
const ROUNDING = 1e-4;

/** Made of the ranks of few draws, which jump when two of them change places; the draws themselves are compared. */
const OF_RANKS: ReadonlySet<string> = new Set(["rHat", "essBulk", "essTail", "essMean", "lambdaSe", "halvesZ"]);
/** Text with numbers in it, and what may differ between programs. */
const NOT_COMPARED: ReadonlySet<string> = new Set(["verdict", "verdictReason", "timing", "backend", "fuseWidth"]);

export function statementOf(shard: RecordedShard, { id }: Cell): Statement {
  const result = shard.results.get(id);
  expect(result, `a result of ${id}: ${JSON.stringify(shard.failed.get(id))}`).toBeDefined();
  const points = (shard.metrics.get(id) ?? [])
    .filter(({ series }) => BITWISE || !series.includes("chain."))
    .map(({ series, step, value }) => [`${series} ${step}`, value] as const);
  const { outcome, stopped, steps } = result!;
  return {
    digest: canonicalJson({ result: resultDigest(result!), points }),
    outcome: `${outcome}, ${stopped} after ${steps} steps`,
    numbers: new Map([...figuresOf(result!), ...points]),
  };
}

function figuresOf({ estimate, behavioural, ...result }: CellResult): readonly (readonly [string, number])[] {
  const of = (values: object, prefix = ""): readonly (readonly [string, number])[] =>
    Object.entries(values).flatMap(([name, value]) =>
      typeof value === "number" && !OF_RANKS.has(name) && !NOT_COMPARED.has(name)
        ? [[`${prefix}${name}`, value] as const]
        : [],
    );
  // Acceptance is a step: where the last bits differ, a chain may one day go another way.
  if (!BITWISE) return of(result);
  return [...of(result), ...of(estimate ?? {}), ...of(behavioural ?? {}, "behavioural.")];
}

/** Bit for bit on wasm, else within rounding. */
export function expectSameStatement(actual: Statement, expected: Statement): void {
  expect(actual.outcome).toBe(expected.outcome);
  expect([...actual.numbers.keys()]).toEqual([...expected.numbers.keys()]);
  if (BITWISE) expect(actual.digest).toBe(expected.digest);
  for (const [name, value] of expected.numbers) {
    const tolerance = BITWISE ? 0 : ROUNDING * Math.max(1, Math.abs(value));
    const error = Math.abs(actual.numbers.get(name)! - value);
    expect(error <= tolerance, `${name}: ${actual.numbers.get(name)} and ${value} alone`).toBe(true);
  }
}
