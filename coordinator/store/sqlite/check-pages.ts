/**
 * SQLite's `quick_check`, which reads the whole file. Of a large one in a thread of its own, beside whatever else a start does:
 * a million cells take seconds to read through.
 */
import { statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { SQLITE_PACKAGE, type SqliteDatabase } from "./sqlite-api.ts";

/** Smaller files are read through before a thread has started. */
const LARGE_BYTES = 32 * 1024 * 1024;

/** What is damaged; undefined: nothing. At once for a small file. */
export function checkPages(database: SqliteDatabase, file: string): string | undefined | Promise<string | undefined> {
  if (statSync(file).size < LARGE_BYTES) return verdictOf(database.prepare(CHECK).all());
  return inThread(file);
}

const CHECK = "pragma quick_check(1)";

function verdictOf(rows: unknown[]): string | undefined {
  const [row] = rows as { readonly quick_check: string }[];
  return row?.quick_check === "ok" ? undefined : (row?.quick_check ?? "the check gave no answer");
}

/** As a text: a thread cannot load TypeScript, as which this file is tested. */
const THREAD = `
  const { createRequire } = require("node:module");
  const { parentPort, workerData } = require("node:worker_threads");
  const { DatabaseSync } = createRequire(workerData.from)(workerData.name);
  const database = new DatabaseSync(workerData.file, { readOnly: true });
  const rows = database.prepare(workerData.check).all();
  database.close();
  parentPort.postMessage(rows.map((row) => ({ ...row })));`;

function inThread(file: string): Promise<string | undefined> {
  const workerData = { from: import.meta.url, name: SQLITE_PACKAGE, file, check: CHECK };
  const thread = new Worker(THREAD, { eval: true, workerData });
  // A coordinator that is stopped does not wait for it.
  thread.unref();
  return new Promise((resolve) => {
    thread.once("message", (rows: unknown[]) => resolve(verdictOf(rows)));
    thread.once("error", (error) => resolve(error.message));
    thread.once("exit", (code) => resolve(`the check ended with ${code}`));
  });
}
