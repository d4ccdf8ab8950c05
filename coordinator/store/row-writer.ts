/** Many rows as few statements: what the dialects do each in its own way. Rows of one call have the same columns. */
import type { Insertable, Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** Keys are whole numbers; what is set are whole numbers and texts. */
export interface RowChange<T extends keyof Tables> {
  readonly where: Readonly<Partial<Record<keyof Tables[T] & string, number>>>;
  readonly set: Readonly<Partial<Record<keyof Tables[T] & string, number | string>>>;
}

export interface RowWriter {
  /** @param known "fail": a row that is there already is an error; "keep": it stays as it is */
  insert<T extends keyof Tables>(
    db: Kysely<Tables>,
    table: T,
    rows: readonly Insertable<Tables[T]>[],
    known: "fail" | "keep",
  ): Promise<void>;
  /** Each change in the row that it names. Returns how many rows there were. */
  update<T extends keyof Tables>(db: Kysely<Tables>, table: T, changes: readonly RowChange<T>[]): Promise<number>;
}

/** Parts of a list, in order. */
export function* partsOf<R>(rows: readonly R[], size: number): Generator<readonly R[]> {
  for (let from = 0; from < rows.length; from += size) yield rows.slice(from, from + size);
}
