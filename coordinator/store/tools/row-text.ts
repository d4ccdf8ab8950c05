/** A row as a line of JSON, with the seal that it has in the store; bytes in base64. */
import type { Row, Table } from "./read-rows.ts";

/** The columns of bytes. */
const BYTES: { readonly [T in Table]?: string } = { metric_chunk: "data" };

export function lineOf(table: Table, row: Row): string {
  const column = BYTES[table];
  const value = column === undefined ? undefined : row[column];
  if (column === undefined || !(value instanceof Uint8Array)) return JSON.stringify(row);
  return JSON.stringify({ ...row, [column]: Buffer.from(value).toString("base64") });
}

export function rowOf(table: Table, line: string): Row {
  const row = JSON.parse(line) as Row;
  const column = BYTES[table];
  const value = column === undefined ? undefined : row[column];
  if (column === undefined || typeof value !== "string") return row;
  return { ...row, [column]: Buffer.from(value, "base64") };
}
