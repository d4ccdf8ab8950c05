/**
 * sweep.yaml: what was run, pinned. A sweep file again (every default filled in, every range listed), with what it was run by
 * as comments above it, so that `occam run sweep.yaml` gives the same cells.
 */
import { createRequire } from "node:module";
import { stringify } from "yaml";
import type { Sweep } from "../../proto/gen/occam/v1/operator.ts";
import type { ResultRow } from "../result/row.ts";
import { resolvedSpec, type SweepSpec } from "../spec/sweep.ts";
import { formatInstant, printable } from "./output/format.ts";
import { provenanceOf } from "./provenance.ts";

/** Seeds that are listed; results.csv has each cell's. */
const MAX_SEEDS = 20;

export function frozenSweep(
  sweep: Sweep,
  spec: SweepSpec,
  rows: readonly ResultRow[],
  revision: string | null,
): string {
  const from = provenanceOf(sweep, revision);
  const backends = [...new Set(rows.flatMap(({ result }) => result?.backend ?? []))].sort();
  const facts: readonly (readonly [string, string])[] = [
    ["sweep", from.sweepId],
    ["sweep file", from.specFile],
    ["submitted", from.startedMs === null ? "" : formatInstant(from.startedMs)],
    ["finished", from.finishedMs === null ? "not yet" : formatInstant(from.finishedMs)],
    ["occam", `${from.packageVersion}, numerics ${from.numericsVersion}`],
    ["tfjs", tfjsVersion()],
    ["backends", backends.join(", ") || "none yet"],
    ["node", `${from.nodeVersion}, ${from.platform}`],
    ["git revision", from.gitRevision ?? "none"],
    ["cells", String(rows.length)],
    ["seeds", seedsOf(rows)],
  ];
  const header = facts.map(([name, value]) => `# ${`${name}:`.padEnd(14)}${printable(value)}`).join("\n");
  return `${header}\n# The sweep with every default filled in. It is a sweep file: occam run sweep.yaml\n${stringify(resolvedSpec(spec))}`;
}

function tfjsVersion(): string {
  const manifest = createRequire(import.meta.url)("@tensorflow/tfjs-core/package.json") as { readonly version: string };
  return manifest.version;
}

function seedsOf(rows: readonly ResultRow[]): string {
  const seeds = [...new Set(rows.map(({ config }) => config.seed))];
  const more = seeds.length > MAX_SEEDS ? `, and ${seeds.length - MAX_SEEDS} more (results.csv has each cell's)` : "";
  return `${seeds.slice(0, MAX_SEEDS).join(", ")}${more}`;
}
