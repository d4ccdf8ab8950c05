import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from "hyparquet";
import { describe, expect, it } from "vitest";
import { writeParquet, writeResultsParquet } from "../../../src/report/parquet.ts";
import { CurveKeeper, METRIC_COLUMNS, seriesGroups, type SeriesChunk } from "../../../src/report/series.ts";
import { columnsOf, rowOf } from "../../../src/result/row.ts";
import { AXES, designs, recordOf, resultOf, syntheticRows } from "./synthetic-sweep.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const paths = AXES.map(({ path }) => path);

/** Physical type, logical kind and nullability of each column, as a reader sees them. */
async function schemaOf(path: string): Promise<Record<string, string>> {
  const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path));
  const columns = parquetSchema(metadata).children.map(({ element }) => element);
  return Object.fromEntries(
    columns.map((column) => [
      column.name,
      [column.type, column.converted_type, column.repetition_type].filter(Boolean).join(" "),
    ]),
  );
}

async function read(path: string): Promise<Record<string, unknown>[]> {
  return parquetReadObjects({ file: await asyncBufferFromFile(path) });
}

describe("results.parquet", () => {
  it("reads back as what results.csv holds, nulls as nulls", async () => {
    const path = join(await temporaryFolder(), "results.parquet");
    const rows = syntheticRows();
    const columns = columnsOf(rows, paths);
    await writeResultsParquet(path, columns, rows);
    const expected = rows.map((row) =>
      Object.fromEntries(
        columns.map((column) => {
          const value = column.get(row);
          return [column.name, column.type === "integer" && value !== null ? BigInt(value) : value];
        }),
      ),
    );
    expect(await read(path)).toEqual(expected);
  });

  it("has nullable doubles, 64-bit integers, UTF-8 strings and booleans", async () => {
    const path = join(await temporaryFolder(), "results.parquet");
    const rows = syntheticRows();
    await writeResultsParquet(path, columnsOf(rows, paths), rows);
    expect(await schemaOf(path)).toMatchObject({
      cell_id: "BYTE_ARRAY UTF8 OPTIONAL",
      seed: "BYTE_ARRAY UTF8 OPTIONAL",
      scale_width: "DOUBLE OPTIONAL",
      regulariser_strength: "DOUBLE OPTIONAL",
      lambda_hat: "DOUBLE OPTIONAL",
      steps: "INT64 OPTIONAL",
      verdict: "BYTE_ARRAY UTF8 OPTIONAL",
      cached: "BOOLEAN OPTIONAL",
    });
  });

  it("is a valid table for a sweep without cells and for one whose figures are all missing", async () => {
    const folder = await temporaryFolder();
    await writeResultsParquet(join(folder, "empty"), columnsOf([], []), []);
    expect(await read(join(folder, "empty"))).toEqual([]);
    const pending = [rowOf(recordOf(designs()[0]!, 0, { state: "pending", result: undefined }))];
    await writeResultsParquet(join(folder, "pending"), columnsOf(pending, paths), pending);
    expect((await read(join(folder, "pending")))[0]).toMatchObject({
      status: "pending",
      lambda_hat: null,
      steps: null,
    });
  });

  it("keeps every row over several row groups", async () => {
    const path = join(await temporaryFolder(), "results.parquet");
    const [design] = designs();
    const row = rowOf(recordOf(design!, 0, { result: resultOf(design!) }));
    const rows = Array.from({ length: 10_001 }, (_, gridIndex) => ({ ...row, gridIndex, attempts: gridIndex }));
    await writeResultsParquet(path, columnsOf(rows, []), rows);
    const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path));
    expect(metadata.row_groups.map(({ num_rows }) => num_rows)).toEqual([10_000n, 1n]);
    const attempts = await parquetReadObjects({ file: await asyncBufferFromFile(path), columns: ["attempts"] });
    expect(attempts.map((record) => Number(record["attempts"]))).toEqual(rows.map(({ attempts }) => attempts));
  });
});

describe("metrics.parquet", () => {
  const chunkOf = (cellId: string, values: readonly number[], from = 0): SeriesChunk => ({
    cellId,
    names: ["train.loss", "chain.0"],
    name: values.map((_, index) => index % 2),
    step: values.map((_, index) => BigInt(from + index)),
    value: values,
  });

  it("holds every point in the order given, NaN and infinities included", async () => {
    const path = join(await temporaryFolder(), "metrics.parquet");
    const values = [0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0.25];
    const chunks = [chunkOf("a", values), chunkOf("b", [7], 9_007_199_254_740_990)];
    await writeParquet(path, METRIC_COLUMNS, seriesGroups(chunks, new CurveKeeper([])));
    expect(await read(path)).toEqual([
      ...values.map((value, index) => ({
        cell_id: "a",
        series: ["train.loss", "chain.0"][index % 2],
        step: BigInt(index),
        value,
      })),
      { cell_id: "b", series: "train.loss", step: 9_007_199_254_740_990n, value: 7 },
    ]);
    expect(await schemaOf(path)).toEqual({
      cell_id: "BYTE_ARRAY UTF8 REQUIRED",
      series: "BYTE_ARRAY UTF8 REQUIRED",
      step: "INT64 REQUIRED",
      value: "DOUBLE REQUIRED",
    });
  });

  it("writes row groups while the series still come, so that memory does not grow with the sweep", async () => {
    const folder = await temporaryFolder();
    const path = join(folder, "metrics.parquet");
    const chunks = 300;
    const points = 1000;
    const sizes: number[] = [];
    async function* source(): AsyncGenerator<SeriesChunk> {
      for (let cell = 0; cell < chunks; cell += 1) {
        yield chunkOf(
          `cell-${cell}`,
          Array.from({ length: points }, (_, index) => Math.sin(cell * points + index)),
        );
        const [file] = await readdir(folder);
        sizes.push((await stat(join(folder, file!))).size);
      }
    }
    await writeParquet(path, METRIC_COLUMNS, seriesGroups(source(), new CurveKeeper([])));
    // 300,000 points make two full groups of 131,072; both are on disk before the source ends.
    expect(sizes[100]).toBe(0);
    expect(sizes[150]).toBeGreaterThan(500_000);
    expect(sizes[299]).toBeGreaterThan(1.9 * sizes[150]!);
    const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path));
    expect(metadata.row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([131_072, 131_072, 37_856]);
    const last = await parquetReadObjects({ file: await asyncBufferFromFile(path), rowStart: 299_999 });
    expect(last).toEqual([{ cell_id: "cell-299", series: "chain.0", step: 999n, value: Math.sin(299_999) }]);
  });
});
