/** `occam results` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { widthOf, type Io } from "../io.ts";
import type { Operator } from "../operator.ts";
import { connectionOptions, jsonOption } from "../options.ts";

type Format = "table" | "csv" | "json";

export const resultsCommand = defineCommand({
  usage: "results <sweep>",
  summary: "Show the results of a sweep, finished or not, or write its files",
  positionals: { sweep: { type: "string", demandOption: true, describe: "Sweep id, a prefix of one, or a name" } },
  options: {
    ...connectionOptions,
    format: {
      choices: ["table", "csv", "json"],
      default: "table",
      requiresArg: true,
      describe: "table has the main columns; csv and json have all, json as one object a line",
    },
    json: { ...jsonOption.json, describe: "The same as --format json" },
    out: {
      type: "string",
      requiresArg: true,
      describe: "Write report, tables, series and logs into this folder instead",
    },
  },
  noSettings: ["out"],
  examples: [
    ["results digits", "The main columns"],
    ["results digits --format csv > digits.csv", "Every column"],
    ["results digits --out ./digits", "All files, as `occam run` writes them"],
  ],
  run: (args, io) =>
    withOperator(args, io, (operator) => {
      if (args.out !== undefined) return writeFiles(operator, args.sweep, args.out, args.json, io);
      return printRows(operator, args.sweep, args.json ? "json" : args.format, io);
    }),
});

async function writeFiles(operator: Operator, name: string, out: string, json: boolean, io: Io): Promise<number> {
  const { writeArtifacts } = await import("../artifacts.ts");
  const { missingOf, summaryLines } = await import("../result-table.ts");
  const { pathIn } = await import("../token.ts");
  const outDir = pathIn(io.cwd, out);
  const { rows, files, sweep } = await writeArtifacts(operator, name, outDir, null);
  const missing = missingOf(rows);
  if (json)
    await io.out.write(`${JSON.stringify({ sweepId: sweep.sweepId, outDir, files, cells: rows.length, missing })}\n`);
  else
    await io.out.write(`${[...summaryLines(rows, io.out.paint), `files in ${out}: ${files.join(", ")}`].join("\n")}\n`);
  return missing > 0 ? EXIT.incomplete : EXIT.ok;
}

async function printRows(operator: Operator, name: string, format: Format, io: Io): Promise<number> {
  const { collectRows } = await import("../artifacts.ts");
  const { specOf } = await import("../records.ts");
  const { columnsOf, sortRows } = await import("../../result/row.ts");
  const sweep = await operator.sweep(name);
  const spec = specOf(sweep);
  const rows = sortRows(await collectRows(operator, sweep, spec));
  const axes = spec.axes.map(({ path }) => path);
  if (format === "table") {
    const { resultTable, summaryLines } = await import("../result-table.ts");
    const width = io.out.columns() === undefined ? Number.POSITIVE_INFINITY : widthOf(io.out);
    await io.out.write(`${[...resultTable(rows, axes, width), "", ...summaryLines(rows, io.out.paint)].join("\n")}\n`);
    return EXIT.ok;
  }
  const columns = columnsOf(rows, axes);
  const { csvLines } = await import("../../report/csv.ts");
  const lines =
    format === "csv"
      ? csvLines(columns, rows)
      : rows.map((row) => `${JSON.stringify(Object.fromEntries(columns.map((one) => [one.name, one.get(row)])))}\n`);
  for (const line of lines) await io.out.write(line);
  return EXIT.ok;
}
