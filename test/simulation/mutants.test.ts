/**
 * The simulation's own test: bugs planted in the coordinator, one at a time, each of which it has to find within a few seeds.
 * A mutant replaces one export of one module; everything else is the real code.
 */
import { afterEach, describe, expect, it, vi } from "vitest";

/** Seeds within which a mutant has to be found. */
const SEEDS = 60;

interface Mutant {
  readonly bug: string;
  readonly module: string;
  mutate(real: Record<string, unknown>): Record<string, unknown>;
  /** What the simulation must say of it. */
  readonly found: RegExp;
}

type Placed = (nextOffset: number, firstOffset: number, count: number) => { kind: string; skip?: number };
type Transition = (state: object, event: { kind: string; nowMs?: number }, ...rest: unknown[]) => unknown;
type Writer = new (...given: unknown[]) => object;

const MUTANTS: readonly Mutant[] = [
  {
    bug: "the token of a message is not compared with the cell's",
    module: "../../coordinator/lease/cell-state.ts",
    mutate: (real) => ({
      isUnder: (state: { kind: string }) => state.kind === "leased" || state.kind === "running",
      transition: (life: { state: { token?: bigint } }, event: { token?: bigint }) => {
        const own = life.state.token;
        const forged = own === undefined || !("token" in event) ? event : { ...event, token: own };
        return (real["transition"] as (...given: unknown[]) => unknown)(life, forged);
      },
    }),
    found: /which does not hold it|runs cell/u,
  },
  {
    bug: "an answer does not wait for its write",
    module: "../../coordinator/store/group-commit.ts",
    mutate: (real) => ({
      GroupCommit: class extends (real["GroupCommit"] as Writer) {
        async settled(): Promise<void> {
          // At once, whatever is on its way to the store.
        }
      },
    }),
    found: /acknowledged/u,
  },
  {
    bug: "a lease ends before its time",
    module: "../../coordinator/lease/lease-state.ts",
    mutate: (real) => ({
      transition: (state: object, event: { kind: string; nowMs?: number }, ...rest: unknown[]) => {
        const early = event.kind === "time" ? { ...event, nowMs: event.nowMs! + 15_000 } : event;
        return (real["transition"] as Transition)(state, early, ...rest);
      },
    }),
    found: /ended \d+ ms after it was listed/u,
  },
  {
    bug: "a released cell is forgotten",
    module: "../../coordinator/lease/cell-state.ts",
    mutate: (real) => ({
      transition: (life: object, event: { kind: string }, ...rest: unknown[]) =>
        event.kind === "released" ? undefined : (real["transition"] as Transition)(life, event, ...rest),
    }),
    found: /which does not hold it|has ended with \d+ open cells/u,
  },
  {
    bug: "a batch that overlaps what is there is appended whole",
    module: "../../coordinator/ingest/place-batch.ts",
    mutate: (real) => ({
      placeBatch: (nextOffset: number, firstOffset: number, count: number) => {
        const placed = (real["placeBatch"] as Placed)(nextOffset, firstOffset, count);
        return placed.kind === "append" ? { kind: "append", skip: 0 } : placed;
      },
    }),
    found: /is that of step|points of/u,
  },
  {
    bug: "a batch after a gap is appended",
    module: "../../coordinator/ingest/place-batch.ts",
    mutate: (real) => ({
      placeBatch: (nextOffset: number, firstOffset: number, count: number) => {
        const placed = (real["placeBatch"] as Placed)(nextOffset, firstOffset, count);
        return placed.kind === "gap" ? { kind: "append", skip: 0 } : placed;
      },
    }),
    found: /is that of step|points of/u,
  },
  {
    bug: "a result is taken before its metrics and logs are there",
    module: "../../coordinator/ingest/missing-records.ts",
    mutate: () => ({ missingRecords: async () => "" }),
    found: /points of/u,
  },
];

afterEach(() => {
  for (const { module } of MUTANTS) vi.doUnmock(module);
  vi.resetModules();
});

describe("the simulation finds it when", () => {
  it.each(MUTANTS)("$bug", { timeout: 300_000 }, async ({ module, mutate, found }) => {
    vi.resetModules();
    vi.doMock(module, async (importOriginal) => {
      const real = await importOriginal<Record<string, unknown>>();
      return { ...real, ...mutate(real) };
    });
    const { runSeed } = await import("./run-seed.ts");
    const violations: string[] = [];
    for (let seed = 1; seed <= SEEDS && violations.length === 0; seed += 1) {
      await runSeed(seed).catch((error: unknown) => violations.push(String(error)));
    }
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatch(found);
  });
});
