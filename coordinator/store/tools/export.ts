/**
 * Writes every row of a store as JSON Lines, a file a table, with a list of the files and their SHA-256: what `import.ts` reads
 * into a store of either kind, and any other program too. It is the store as it was at one moment.
 */
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { messageOf, OccamError } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/log.ts";
import { PACKAGE_VERSION } from "../../../src/core/version.ts";
import { SCHEMA_VERSION } from "../migrate.ts";
import { readRows, TABLES, type Table } from "./read-rows.ts";
import { lineOf } from "./row-text.ts";
import { withSnapshot, type Snapshot } from "./snapshot.ts";

export const LIST_NAME = "export.json";
export const EXPORT_FORMAT = 1;

export interface ExportedTable {
  readonly table: Table;
  readonly rows: number;
  readonly sha256: string;
}

/** export.json */
export interface ExportList {
  readonly format: number;
  readonly schemaVersion: number;
  readonly writtenBy: string;
  readonly tables: readonly ExportedTable[];
}

export interface ExportReport {
  readonly rows: number;
}

export function exportStore(store: string, dest: string, logger: Pick<Logger, "warn">): Promise<ExportReport> {
  return withSnapshot(store, logger, async (snapshot) => {
    prepare(dest);
    const tables: ExportedTable[] = [];
    for (const table of TABLES) tables.push(await writeTable(snapshot, table, dest));
    const list: ExportList = {
      format: EXPORT_FORMAT,
      schemaVersion: SCHEMA_VERSION,
      writtenBy: `occam ${PACKAGE_VERSION}`,
      tables,
    };
    // Last: a folder without it is half an export, and is not read.
    writeFileSync(join(dest, LIST_NAME), `${JSON.stringify(list, undefined, 2)}\n`);
    return { rows: tables.reduce((sum, { rows }) => sum + rows, 0) };
  });
}

function prepare(dest: string): void {
  if (existsSync(join(dest, LIST_NAME))) {
    throw new OccamError("bad-usage", "there is an export already", { where: dest, hint: "give a folder that is new" });
  }
  try {
    mkdirSync(dest, { recursive: true });
  } catch (cause) {
    throw new OccamError("bad-config", `the folder cannot be made: ${messageOf(cause)}`, { where: dest, cause });
  }
}

async function writeTable({ db }: Snapshot, table: Table, dest: string): Promise<ExportedTable> {
  const out = createWriteStream(join(dest, `${table}.jsonl`), { flush: true });
  // Heard from the first moment: an error that nobody listens for ends the process.
  const written = finished(out);
  written.catch(() => undefined);
  const hash = createHash("sha256");
  let rows = 0;
  for await (const page of readRows(db, table)) {
    const text = page.map((row) => `${lineOf(table, row)}\n`).join("");
    rows += page.length;
    hash.update(text);
    if (!out.write(text)) await once(out, "drain");
  }
  out.end();
  await written;
  return { table, rows, sha256: hash.digest("hex") };
}
