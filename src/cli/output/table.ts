/** A plain text table; a list of records where the table is wider than the terminal. */
import { fit } from "./format.ts";

export interface TableColumn {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** Lines of the table, each at most `width` columns wide. */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width = Number.POSITIVE_INFINITY,
): readonly string[] {
  const widths = columns.map(({ title }, at) =>
    Math.max(lengthOf(title), ...rows.map((row) => lengthOf(row[at] ?? ""))),
  );
  const total = widths.reduce((sum, one) => sum + one + 2, -2);
  if (total > width) return renderRecords(columns, rows, width);
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, at) => pad(cells[at] ?? "", widths[at]!, align ?? "left"))
      .join("  ")
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

function renderRecords(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  width: number,
): readonly string[] {
  const titleWidth = Math.max(...columns.map(({ title }) => lengthOf(title)));
  return rows.flatMap((row, index) => {
    const lines = columns.flatMap(({ title }, at) => {
      const value = row[at] ?? "";
      return value === "" ? [] : [fit(`${pad(title, titleWidth, "left")}  ${value}`, width)];
    });
    return index === 0 ? lines : ["", ...lines];
  });
}

const lengthOf = (text: string): number => Array.from(text).length;

function pad(text: string, width: number, align: "left" | "right"): string {
  const fill = " ".repeat(Math.max(0, width - lengthOf(text)));
  return align === "left" ? text + fill : fill + text;
}
