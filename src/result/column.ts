/** A column of a table: what CSV, Parquet and the documentation are made from. Where there is no value it gives null: never NaN. */
import type { Scalar } from "../catalogue/entry.ts";

export type ColumnType = "string" | "integer" | "number" | "boolean";

export interface Column<Row> {
  /** snake_case. */
  readonly name: string;
  readonly type: ColumnType;
  /** Unit of the value, "" for a pure number or a text. */
  readonly unit: string;
  /** One line for the documentation. */
  readonly description: string;
  /** May differ between two runs of one spec: times, workers, how cells were packed. */
  readonly varies: boolean;
  get(row: Row): Scalar | null;
}

export function column<Row>(
  name: string,
  type: ColumnType,
  unit: string,
  description: string,
  get: (row: Row) => Scalar | null | undefined,
  varies = false,
): Column<Row> {
  return { name, type, unit, description, varies, get: (row) => finiteOrNull(get(row)) };
}

/** The same column of rows that have such a row, or none. */
export function lifted<Row, Inner>(inner: Column<Inner>, of: (row: Row) => Inner | null | undefined): Column<Row> {
  const get = (row: Row): Scalar | null => {
    const own = of(row);
    return own === null || own === undefined ? null : inner.get(own);
  };
  return { ...inner, get };
}

function finiteOrNull(value: Scalar | null | undefined): Scalar | null {
  if (value === undefined || value === null) return null;
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}
