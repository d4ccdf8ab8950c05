/**
 * A checksum of what a row was written with and never changes again: CRC-32 (ISO 3309) over the named columns. Neither SQLite
 * nor PostgreSQL (by default, before 18) notices a bit that flips inside of a value; `occam store check` does by this.
 */
import { crc32 } from "node:zlib";
import type { Tables } from "./tables.ts";

/** The sealed tables with the columns that their seal is over. Doubles are left out: SQLite's binding rounds the smallest to 0. */
export const SEALED = {
  sweep: ["seq", "sweep_id", "name", "scope", "spec_text", "file_name", "created_ms"],
  config: ["cell_id", "json"],
  result: ["cell_key", "token", "worker_id", "digest", "json", "diverged", "verdict", "committed_ms"],
  finding: ["cell_key", "token", "worker_id", "digest", "json", "noted_ms"],
  metric_chunk: ["stream_id", "first_offset", "count", "data"],
  log_line: [
    "seq",
    "stream_id",
    "place",
    "worker_id",
    "cell_key",
    "token",
    "time_ms",
    "level",
    "message",
    "fields_json",
  ],
} as const satisfies { readonly [T in keyof Tables]?: readonly (keyof Tables[T])[] };

export type SealedTable = keyof typeof SEALED;

export const isSealed = (table: string): table is SealedTable => table in SEALED;

/** 0 to 2^32 - 1. */
export function sealOf(table: SealedTable, row: object): number {
  const values = row as Readonly<Record<string, unknown>>;
  let text = "";
  let crc = 0;
  for (const column of SEALED[table]) {
    const value = values[column];
    if (value instanceof Uint8Array) crc = crc32(value, crc);
    else text += `${String(value)}\0`;
  }
  return crc32(text, crc);
}
