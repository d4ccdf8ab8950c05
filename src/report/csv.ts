/** CSV after RFC 4180: comma, CRLF, quotes where needed; numbers in their shortest text that reads back as the same double. */
import type { Scalar } from "../catalogue/entry.ts";
import type { Column } from "../result/column.ts";

/** A header line, then one line a row. */
export function* csvLines<Row>(columns: readonly Column<Row>[], rows: Iterable<Row>): Generator<string> {
  yield csvLine(columns.map(({ name }) => name));
  for (const row of rows) yield csvLine(columns.map((column) => column.get(row)));
}

/** One record with its line end. Null is an empty field; an empty text is two quotes, so that the two differ. */
export function csvLine(fields: readonly (Scalar | null)[]): string {
  return `${fields.map(csvField).join(",")}\r\n`;
}

function csvField(value: Scalar | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  return value === "" || /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
