/**
 * The simulation's own test: bugs planted in coordinator and worker, one at a time, each of which it has to find within a few seeds.
 * A mutant replaces one export of one module, or of two; everything else is the real code.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import { ROUGH, STORM } from "./weather.ts";
import type { Plan } from "./world.ts";

/** Seeds within which a mutant has to be found. */
const SEEDS = 200;

type Exports = Record<string, unknown>;
type Mutation = readonly [module: string, mutate: (real: Exports) => Exports];

interface Mutant {
  readonly bug: string;
  readonly mutations: readonly Mutation[];
  /** Where it shows soonest. */
  readonly plan?: Partial<Plan>;
  /** What the simulation must say of it. */
  readonly found: RegExp;
}

type Placed = (nextOffset: number, firstOffset: number, count: number) => { kind: string; skip?: number };
type Transition = (
  state: object,
  event: { kind: string; nowMs?: number; token?: bigint; width?: number },
  ...rest: unknown[]
) => unknown;
type Class = new (...given: unknown[]) => object;
type Insert = (
  db: Deleting,
  table: string,
  rows: readonly { readonly cell_key: number }[],
  known?: string,
) => Promise<void>;
interface Deleting {
  deleteFrom(table: string): {
    where(column: string, is: "in", values: readonly number[]): { execute(): Promise<unknown> };
  };
}
interface Commit {
  readonly cellId: string;
  readonly token: bigint;
  readonly outcome: { readonly kind: string };
}

const CELL_STATE = "../../coordinator/lease/cell-state.ts";
const LEASE_STATE = "../../coordinator/lease/lease-state.ts";
const PLACE_BATCH = "../../coordinator/ingest/place-batch.ts";

/** A transition that sees other events than those that happen. */
const transitionOf = (
  real: Exports,
  event: (given: Parameters<Transition>[1], state: object) => Parameters<Transition>[1],
): Exports => ({
  transition: (state: object, given: Parameters<Transition>[1], ...rest: unknown[]) =>
    (real["transition"] as Transition)(state, event(given, state), ...rest),
});

const placing = (change: (placed: ReturnType<Placed>) => ReturnType<Placed>): Mutation => [
  PLACE_BATCH,
  (real) => ({ placeBatch: (...given: Parameters<Placed>) => change((real["placeBatch"] as Placed)(...given)) }),
];

const MUTANTS: readonly Mutant[] = [
  {
    bug: "the token of a message is not compared with the cell's",
    mutations: [
      [
        CELL_STATE,
        (real) => ({
          isUnder: (state: { kind: string }) => state.kind === "leased" || state.kind === "running",
          ...transitionOf(real, (event, life) => {
            const own = (life as { state: { token?: bigint } }).state.token;
            return own === undefined || !("token" in event) ? event : { ...event, token: own };
          }),
        }),
      ],
    ],
    plan: { weather: STORM, workers: ["agent", "agent", "scripted"] },
    found: /which does not hold it|runs cell/u,
  },
  {
    bug: "an answer does not wait for its write",
    mutations: [
      [
        "../../coordinator/store/group-commit.ts",
        (real) => ({
          GroupCommit: class extends (real["GroupCommit"] as Class) {
            async settled(): Promise<void> {
              // At once, whatever is on its way to the store.
            }
          },
        }),
      ],
    ],
    // What was lost at a crash is acknowledged once more after it.
    found: /acknowledged|is stored with it|was granted|was committed under \d+ and again/u,
  },
  {
    bug: "a lease ends before its time",
    mutations: [
      [
        LEASE_STATE,
        (real) =>
          transitionOf(real, (event) => (event.kind === "time" ? { ...event, nowMs: event.nowMs! + 15_000 } : event)),
      ],
    ],
    found: /ended \d+(\.\d+)? ms after it was listed/u,
  },
  {
    bug: "a released cell is forgotten",
    mutations: [
      [
        CELL_STATE,
        (real) => ({
          transition: (life: object, event: { kind: string }, ...rest: unknown[]) =>
            event.kind === "released" ? undefined : (real["transition"] as Transition)(life, event, ...rest),
        }),
      ],
    ],
    found: /which does not hold it|has ended with \d+ open cells/u,
  },
  {
    bug: "a released lease is forgotten: it lives on",
    mutations: [
      [
        LEASE_STATE,
        (real) => ({
          transition: (state: object, event: { kind: string }, ...rest: unknown[]) =>
            event.kind === "emptied" ? undefined : (real["transition"] as Transition)(state, event, ...rest),
        }),
      ],
    ],
    found: /lives without a cell/u,
  },
  {
    bug: "the lower epoch is accepted",
    mutations: [
      [
        "../../coordinator/store/sql-store.ts",
        (real) => ({
          SqlStore: class extends (real["SqlStore"] as Class) {
            constructor(options: { readonly epoch?: bigint }) {
              const own = { epoch: options.epoch };
              super({ ...options, leaderEpoch: async () => Number(own.epoch) });
              const begin = (this as unknown as { beginEpoch(): Promise<bigint> }).beginEpoch.bind(this);
              Object.assign(this, { beginEpoch: async () => (own.epoch = await begin()) });
            }
          },
        }),
      ],
    ],
    plan: { coordinators: 2, inFolder: false },
    found: /was applied after epoch \d+ had begun/u,
  },
  {
    bug: "leases expire over a jump of the clock",
    mutations: [
      [
        "../../coordinator/hot/lease-clock.ts",
        () => ({
          LeaseClock: class {
            readonly nowMs: () => number;
            constructor(clock: { monotonicMs(): number }) {
              this.nowMs = () => clock.monotonicMs();
            }
            tick(): number {
              return 0;
            }
          },
        }),
      ],
    ],
    found: /ended \d+(\.\d+)? ms after it was listed|beyond its deadline/u,
  },
  {
    bug: "a late result is dropped",
    mutations: [
      [
        "../../coordinator/lease/commit.ts",
        (real) => ({
          commitAll: async (
            hot: { leases: { get(token: bigint): { state: { kind: string } } | undefined } },
            commands: readonly Commit[],
          ) => {
            const commitAll = real["commitAll"] as (...given: unknown[]) => Promise<readonly unknown[]>;
            const late = { outcome: "fenced", detail: "too late" };
            const replyTo = async (command: Commit): Promise<unknown> => {
              const lives = (hot.leases.get(command.token)?.state.kind ?? "ended") !== "ended";
              return command.outcome.kind === "result" && !lives ? late : (await commitAll(hot, [command]))[0];
            };
            return Promise.all(commands.map(replyTo));
          },
        }),
      ],
    ],
    plan: { weather: STORM, workers: ["scripted", "scripted"], stepMs: 300 },
    found: /was dropped, and the cell has none/u,
  },
  {
    bug: "a second, different result overwrites the first",
    mutations: [
      [
        "../../coordinator/store/sqlite/sqlite-rows.ts",
        (real) => {
          const rows = real["sqliteRows"] as { insert: Insert };
          const insert: Insert = async (db, table, all, known) => {
            if (table === "result") {
              await db
                .deleteFrom("result")
                .where(
                  "cell_key",
                  "in",
                  all.map((row) => row.cell_key),
                )
                .execute();
            }
            return rows.insert(db, table, all, known);
          };
          return { sqliteRows: { ...rows, insert } };
        },
      ],
      [
        "../../coordinator/lease/take-result.ts",
        () => ({
          noteFinding: (
            hot: { writer: { write(change: object): void } },
            { token, workerId }: object & { token?: bigint; workerId?: string },
            cellKey: number,
            { json, digest }: { json: string; digest: string },
          ) => {
            const rest = { diverged: false, verdict: "", lambdaHat: null, testLoss: null, committedMs: 0 };
            hot.writer.write({ kind: "result-committed", result: { cellKey, token, workerId, digest, json, ...rest } });
          },
        }),
      ],
    ],
    found: /was acknowledged/u,
  },
  {
    bug: "a cell that was out of memory is tried as wide as before",
    mutations: [
      [
        CELL_STATE,
        (real) =>
          transitionOf(real, (event) =>
            event.kind === "out-of-memory" ? { ...event, width: 2 * event.width! } : event,
          ),
      ],
    ],
    found: /fits into/u,
  },
  {
    bug: "a batch that overlaps what is there is appended whole",
    mutations: [placing((placed) => (placed.kind === "append" ? { kind: "append", skip: 0 } : placed))],
    plan: { weather: ROUGH, workers: ["scripted", "scripted"] },
    found: /is that of step|points of|lines of|is "line/u,
  },
  {
    bug: "a batch after a gap is appended",
    mutations: [placing((placed) => (placed.kind === "gap" ? { kind: "append", skip: 0 } : placed))],
    plan: { weather: ROUGH, workers: ["scripted", "scripted"] },
    found: /is that of step|points of|lines of|is "line/u,
  },
  {
    bug: "batches of a stream overtake each other while they are placed",
    mutations: [
      [
        "../../coordinator/ingest/turns.ts",
        () => ({
          Turns: class {
            take(_name: string, run: () => Promise<unknown>): Promise<unknown> {
              return run();
            }
          },
        }),
      ],
    ],
    plan: { weather: ROUGH },
    found: /ended at \d+, and then at \d+/u,
  },
  {
    bug: "a result is taken before its metrics and logs are there",
    mutations: [["../../coordinator/ingest/missing-records.ts", () => ({ missingRecords: async () => "" })]],
    found: /points of|lines of/u,
  },
  {
    bug: "a worker commits without waiting for its records, and does not say how many they are",
    mutations: [
      [
        "../../worker/session/uploader.ts",
        (real) => ({
          Uploader: class extends (real["Uploader"] as Class) {
            counts() {
              return { metrics: 0, logs: 0, droppedPoints: 0, droppedLines: 0 };
            }
            async flush(): Promise<string> {
              return "acked";
            }
          },
        }),
      ],
    ],
    found: /points of|lines of/u,
  },
];

afterEach(() => {
  for (const { mutations } of MUTANTS) for (const [module] of mutations) vi.doUnmock(module);
  vi.resetModules();
});

describe("the simulation finds it when", () => {
  it.each(MUTANTS)("$bug", { timeout: 300_000 }, async ({ mutations, plan = {}, found }) => {
    vi.resetModules();
    for (const [module, mutate] of mutations) {
      vi.doMock(module, async (importOriginal) => {
        const real = await importOriginal<Exports>();
        return { ...real, ...mutate(real) };
      });
    }
    const { runSeed } = await import("./run-seed.ts");
    const violations: string[] = [];
    for (let seed = 1; seed <= SEEDS && violations.length === 0; seed += 1) {
      await runSeed(seed, { plan }).catch((error: unknown) => violations.push(String(error)));
    }
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatch(found);
  });
});
