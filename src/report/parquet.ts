/**
 * Parquet files: one row group at a time, so that memory is bounded by the group and not by the file.
 * Strings are UTF-8, integers INT64, numbers DOUBLE, booleans BOOLEAN; snappy-compressed.
 */
import type { FileHandle } from "node:fs/promises";
import { ByteWriter, ParquetWriter, schemaFromColumnData, type BasicType, type ColumnSource } from "hyparquet-writer";
import type { Column, ColumnType } from "../result/column.ts";
import { replaceFile } from "./atomic-file.ts";

/** A column's place in the file. */
export interface ParquetColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/** Values of one column: INT64 as bigint. */
type ParquetValues = readonly (string | number | bigint | boolean | null)[] | Float64Array | BigInt64Array;

/** Some rows, one array a column, in the order of the columns. */
export type ParquetRows = readonly ParquetValues[];

const BASIC_TYPE: Readonly<Record<ColumnType, BasicType>> = {
  string: "STRING",
  integer: "INT64",
  number: "DOUBLE",
  boolean: "BOOLEAN",
};

/** Rows of a group in results.parquet, which has some ninety columns. */
const RESULT_GROUP_ROWS = 10_000;

/** Appends to a file; what is buffered is written when a row group is complete. */
class FileWriter extends ByteWriter {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    super(1 << 20);
    this.#file = file;
  }

  async flush(): Promise<void> {
    await this.#file.appendFile(this.getBytes());
    this.index = 0;
  }
}

/** Replaces `path` by a table of these groups of rows. Each group becomes one row group. */
export function writeParquet(
  path: string,
  columns: readonly ParquetColumn[],
  groups: Iterable<ParquetRows> | AsyncIterable<ParquetRows>,
): Promise<void> {
  return replaceFile(path, async (file) => {
    const schema = schemaFromColumnData({
      columnData: sources(
        columns,
        columns.map(() => []),
      ),
    });
    const sink = new FileWriter(file);
    const writer = new ParquetWriter({ writer: sink, schema, createdBy: "occam" });
    for await (const group of groups) {
      const rows = group[0]?.length ?? 0;
      if (rows > 0) await writer.write({ columnData: sources(columns, group), rowGroupSize: rows });
    }
    await writer.finish();
    await sink.flush();
  });
}

function sources(columns: readonly ParquetColumn[], group: ParquetRows): ColumnSource[] {
  return columns.map(({ name, type, nullable }, at) => ({
    name,
    type: BASIC_TYPE[type],
    nullable,
    data: group[at]! as ColumnSource["data"],
  }));
}

/** Replaces `path` by a table of these rows; every column may be null. */
export function writeResultsParquet<Row>(
  path: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Promise<void> {
  const nullable = columns.map(({ name, type }) => ({ name, type, nullable: true }));
  return writeParquet(path, nullable, resultGroups(columns, rows));
}

function* resultGroups<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): Generator<ParquetRows> {
  for (let from = 0; from < rows.length; from += RESULT_GROUP_ROWS) {
    const group = rows.slice(from, from + RESULT_GROUP_ROWS);
    yield columns.map((column) => group.map((row) => parquetValue(column, row)));
  }
}

function parquetValue<Row>(column: Column<Row>, row: Row): string | number | bigint | boolean | null {
  const value = column.get(row);
  return column.type === "integer" && value !== null ? BigInt(value) : value;
}
