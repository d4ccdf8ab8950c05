/** What `occam store` does, without a coordinator. */
import type { Logger } from "../../../src/core/log.ts";
import { backupStore, type BackupReport } from "./backup.ts";
import { checkStore, type CheckReport } from "./check.ts";
import { exportStore, type ExportReport } from "./export.ts";
import { migrateStore, type MigrateReport } from "./migrate-store.ts";

export interface StoreTools {
  /** Looks for damage. */
  check(): Promise<CheckReport>;
  /** Copies it into a folder that is a store. */
  backup(dest: string): BackupReport;
  /** Writes its rows as JSON Lines. */
  export(dest: string): Promise<ExportReport>;
  /** Brings its schema up to date; fills it from an export. */
  migrate(from: string | undefined): Promise<MigrateReport>;
}

/** @param store a folder or a connection string */
export function storeTools(store: string, logger: Pick<Logger, "warn">): StoreTools {
  return {
    check: () => checkStore(store, logger),
    backup: (dest) => backupStore(store, dest),
    export: (dest) => exportStore(store, dest, logger),
    migrate: (from) => migrateStore(store, from, logger),
  };
}
