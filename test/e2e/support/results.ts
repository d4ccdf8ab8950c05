/** What a run left in its folder. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { RESULT_COLUMNS } from "../../../src/result/row.ts";
import { occam } from "./occam.ts";

export type Row = Readonly<Record<string, string>>;

/** results.csv as rows. Fields of the tests' sweeps hold no quoted line ends. */
export function readResults(outDir: string): readonly Row[] {
  const [header = "", ...lines] = readFileSync(join(outDir, "results.csv"), "utf8").trimEnd().split("\r\n");
  const names = fieldsOf(header);
  return lines.map((line) => Object.fromEntries(fieldsOf(line).map((value, at) => [names[at]!, value])));
}

function fieldsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? bare ?? "",
  );
}

const VARYING = new Set(RESULT_COLUMNS.filter(({ varies }) => varies).map(({ name }) => name));

/** Everything that must be equal in two runs of one spec: all but times, workers and packing. */
export function comparable(rows: readonly Row[]): string {
  return rows.map((row) => JSON.stringify(Object.entries(row).filter(([name]) => !VARYING.has(name)))).join("\n");
}

/** Ids of the cells that a spec has, by `occam plan`. */
export async function plannedIds(specPath: string): Promise<readonly string[]> {
  const { stdout } = await occam(["plan", specPath, "--cells", "--json"]);
  return stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { cellId: string }).cellId);
}
