/** Brings a store's schema to this build's version; refuses one of a newer build. */
import type { Kysely } from "kysely";
import { invariant, OccamError } from "../../src/core/errors.ts";
import { MIGRATIONS, type DialectTypes, type Tables } from "./tables.ts";

export const SCHEMA_VERSION = MIGRATIONS.length;

/**
 * All missing migrations in one transaction: a store is of one version or of the next, never between.
 * @param lock keeps others from migrating until the transaction ends
 * @param upTo the version to come to, when it is not this build's: to read what an older build has exported
 */
export async function migrate(
  db: Kysely<Tables>,
  types: DialectTypes,
  where: string,
  lock: (transaction: Kysely<Tables>) => Promise<void> = async () => undefined,
  upTo = SCHEMA_VERSION,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await lock(transaction);
    await transaction.schema
      .createTable("meta")
      .ifNotExists()
      .addColumn("name", "text", (column) => column.primaryKey())
      .addColumn("value", "text", (column) => column.notNull())
      .execute();
    const version = await readVersion(transaction);
    if (version > SCHEMA_VERSION) throw newer(version, where);
    if (version >= upTo) return;
    for (const migration of MIGRATIONS.slice(version, upTo)) await migration(transaction, types);
    await writeVersion(transaction, upTo);
  });
}

/** For those who only read: a store of another version is refused, and left as it is. */
export async function requireSchema(db: Kysely<Tables>, where: string): Promise<void> {
  const version = await readVersion(db);
  if (version > SCHEMA_VERSION) throw newer(version, where);
  if (version === SCHEMA_VERSION) return;
  throw new OccamError("bad-config", `the store has schema version ${version}; this build reads ${SCHEMA_VERSION}`, {
    where,
    hint: "run `occam store migrate` on it first, or start a coordinator of this build on it once",
  });
}

export async function readVersion(db: Kysely<Tables>): Promise<number> {
  const row = await db.selectFrom("meta").select("value").where("name", "=", "schema_version").executeTakeFirst();
  const version = row === undefined ? 0 : Number(row.value);
  invariant(Number.isSafeInteger(version) && version >= 0, `a schema version is "${row?.value}"`);
  return version;
}

async function writeVersion(db: Kysely<Tables>, version: number): Promise<void> {
  const value = String(version);
  await db
    .insertInto("meta")
    .values({ name: "schema_version", value })
    .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
    .execute();
}

function newer(version: number, where: string): OccamError {
  return new OccamError(
    "store-newer",
    `the store has schema version ${version}; this build knows ${SCHEMA_VERSION} and older`,
    { where, hint: "start it with the newer build that made it, or give another store" },
  );
}
