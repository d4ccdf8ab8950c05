/** Brings a store to this build's schema without starting a coordinator; fills an empty one from an export. */
import type { Logger } from "../../../src/core/log.ts";
import { isPostgresUrl } from "../../../src/core/postgres-url.ts";
import { migrate, SCHEMA_VERSION } from "../migrate.ts";
import { readList, importRows } from "./import.ts";
import { requireFolder } from "./snapshot.ts";
import { withTarget } from "./target.ts";

export interface MigrateReport {
  /** For people. */
  readonly store: string;
  readonly schemaVersion: number;
  /** Rows that came from the export; undefined: there was none. */
  readonly rows: number | undefined;
}

/** @param from a folder that `exportStore` has written; undefined: the schema alone */
export async function migrateStore(
  store: string,
  from: string | undefined,
  logger: Pick<Logger, "warn">,
): Promise<MigrateReport> {
  // A folder is made to be filled, and not by a mistake in its name.
  if (from === undefined && !isPostgresUrl(store)) requireFolder(store);
  const list = from === undefined ? undefined : readList(from);
  return withTarget(store, logger, async (target) => {
    const { db, types, where, lock } = target;
    // The rows are read into the schema that they were written from, and migrated like any others of their age.
    if (list !== undefined) await migrate(db, types, where, lock, list.schemaVersion);
    const rows = list === undefined ? undefined : await importRows(target, from!, list);
    await migrate(db, types, where, lock);
    return { store: where, schemaVersion: SCHEMA_VERSION, rows };
  });
}
