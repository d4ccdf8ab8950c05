/**
 * A checksum of what a row was written with and never changes again: CRC-32 (ISO 3309) over the named columns. Neither SQLite
 * nor PostgreSQL (by default, before 18) notices a bit that flips inside of a value; `occam store check` does by this.
 */
import { crc32 } from "node:zlib";
import type { Tables } from "./tables.ts";

/** The sealed tables with the columns that their seal is over. Doubles are left out: SQLite's binding rounds the smallest to 0. */
export const SEALED = {
  sweep: ["seq", "sweep_id", "name", "scope", "spec_text", "file_name", "created_ms"],
  config: ["cell_key", "parts"],
  config_part: ["part_id", "text"],
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

/** Of configurations before version 4 of the schema, which exports of older builds have. */
const WHOLE_CONFIG = ["cell_id", "json"] as const;

function columnsOf(table: SealedTable, row: Readonly<Record<string, unknown>>): readonly string[] {
  return table === "config" && "json" in row ? WHOLE_CONFIG : SEALED[table];
}

/** 0 to 2^32 - 1. */
export function sealOf(table: SealedTable, row: object): number {
  const values = row as Readonly<Record<string, unknown>>;
  let text = "";
  let crc = 0;
  for (const column of columnsOf(table, values)) {
    const value = values[column];
    if (value instanceof Uint8Array) crc = crc32(value, crc);
    else text += `${String(value)}\0`;
  }
  return crc32(text, crc);
}
