/**
 * `npm run bench [-- --backend NAME] [-- --json FILE]`: prints one table of measurements made in this run, as ratios where
 * there is something to compare with, and writes them as JSON (dist/bench.json, unless told otherwise).
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { PACKAGE_VERSION } from "../../src/core/version.ts";
import { BACKEND_NAMES, type BackendName } from "../../worker/engine/loaded-backend.ts";
import { openEngine } from "../../worker/engine/engine.ts";
import { benchEngine, type Measurement } from "./engine-bench.ts";

const { values: flags } = parseArgs({
  options: { backend: { type: "string", default: "auto" }, json: { type: "string", default: "dist/bench.json" } },
});

function backendOf(name: string): "auto" | BackendName {
  const known = (["auto", ...BACKEND_NAMES] as const).find((candidate) => candidate === name);
  if (known === undefined) throw new Error(`--backend is one of auto, ${BACKEND_NAMES.join(", ")}, not ${name}`);
  return known;
}

function tableOf(measurements: readonly Measurement[]): string {
  const rows = measurements.map(({ name, value, unit, ratio, against }) => [
    name,
    value.toPrecision(3),
    unit,
    ratio === null ? "" : `${ratio.toPrecision(3)}x`,
    against,
  ]);
  const all = [["measurement", "value", "unit", "ratio", "against"], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) => row.map((text, column) => text.padEnd(widths[column]!)).join("  ").trimEnd()).join("\n"); // prettier-ignore
}

const engine = await openEngine(backendOf(flags.backend), { onFallback: (reason) => console.error(reason) });
console.log(`${engine.backend}: ${engine.device}\n`);
const measurements = await benchEngine(engine);
console.log(tableOf(measurements));
mkdirSync(dirname(flags.json), { recursive: true });
const report = { version: PACKAGE_VERSION, backend: engine.backend, device: engine.device, measurements };
writeFileSync(flags.json, `${JSON.stringify(report, null, 2)}\n`);
