/** Every implementation of the store, for the suites that all of them pass: SQLite, and a real PostgreSQL where there is one. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe } from "vitest";
import type { Change } from "../../coordinator/store/change.ts";
import { openPostgres } from "../../coordinator/store/postgres/open-postgres.ts";
import { openMemoryStore, openSqliteStore } from "../../coordinator/store/sqlite/open-sqlite.ts";
import type { LogQuery, Store } from "../../coordinator/store/store.ts";
import { postgresMissing, startPostgres, type PostgresServer } from "../support/postgres-server.ts";
import { quietLogger } from "../support/quiet-logger.ts";

export const ALL_LOGS: LogQuery = { sweepSeq: undefined, cellIdPrefix: "", workerId: "", minLevel: 0, sinceMs: 0 };
export const ALL_CELLS = { sweepSeq: 1, states: [], idPrefix: "" } as const;

interface Implementation {
  readonly name: string;
  /** Gives a way to open one store that is new and empty. */
  place(folder: string): Promise<() => Promise<Store>>;
  /** Can it be closed and opened again with what was in it? */
  readonly durable: boolean;
  /** Can it be opened by two at once? */
  readonly shared: boolean;
  /** Why it cannot be tested here. */
  readonly missing?: string | undefined;
}

const IMPLEMENTATIONS: readonly Implementation[] = [
  { name: "sqlite in a folder", place: async (folder) => () => openSqliteStore(folder), durable: true, shared: false },
  { name: "sqlite in memory", place: async () => openMemoryStore, durable: false, shared: false },
  { name: "postgres", place: placeInPostgres, durable: true, shared: true, missing: postgresMissing },
];

let server: PostgresServer | undefined;

async function placeInPostgres(): Promise<() => Promise<Store>> {
  const url = await server!.newDatabase();
  return async () => (await openPostgres(url, quietLogger)).store();
}

/** One test's store, new and empty. */
export interface StoreUnderTest extends Pick<Implementation, "durable" | "shared"> {
  store(): Store;
  apply(...changes: readonly (Change | readonly Change[])[]): Promise<void>;
  /** The same store again; the former one should be closed unless it is shared. */
  open(): Promise<Store>;
  /** Closes it and goes on with the same store, opened anew. */
  reopen(): Promise<void>;
}

/** Declares a suite for each of them. */
export function describeStores(suite: (under: StoreUnderTest) => void): void {
  beforeAll(async () => {
    if (postgresMissing === undefined) server = await startPostgres();
  });
  afterAll(async () => {
    await server?.remove();
  });
  for (const implementation of IMPLEMENTATIONS) {
    const { name, missing } = implementation;
    const skipped = missing === undefined ? "" : ` (${missing})`;
    describe.skipIf(missing !== undefined)(`a store: ${name}${skipped}`, () => suite(underTest(implementation)));
  }
}

function underTest({ place, durable, shared }: Implementation): StoreUnderTest {
  let folder: string;
  let open: () => Promise<Store>;
  let store: Store;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "occam-store-"));
    open = await place(folder);
    store = await open();
    await store.beginEpoch();
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });
  return {
    durable,
    shared,
    store: () => store,
    apply: (...changes) => store.apply(changes.flat()),
    open: () => open(),
    reopen: async () => {
      await store.close();
      store = await open();
    },
  };
}
