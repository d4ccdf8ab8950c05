/**
 * `npm run bench`: measures the engine in this process on this machine, prints one table a part, with ratios where there is
 * something to compare with, and writes all of it as JSON.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import { PACKAGE_VERSION } from "../../src/core/version.ts";
import { BACKEND_NAMES, type BackendName } from "../../worker/engine/loaded-backend.ts";
import { openEngine, type Engine } from "../../worker/engine/engine.ts";
import { coordinatorPart } from "./coordinator/coordinator-bench.ts";
import { curvePart } from "./curve-bench.ts";
import { floorPart } from "./floor-bench.ts";
import { fusedPart } from "./fused-bench.ts";
import { gridPart } from "./grid-bench.ts";
import { kernelPart } from "./kernel-bench.ts";
import { largePart } from "./large-bench.ts";
import { verdictOf, type Measurement } from "./measurement.ts";
import { memoryPart } from "./memory-bench.ts";
import type { Part } from "./part.ts";
import { processorClock } from "./processor-clock.ts";
import { samplerPart } from "./sampler-bench.ts";
import { shippedPart } from "./shipped-bench.ts";
import { torchPart } from "./torch-bench.ts";

const PARTS: readonly Part[] = [
  fusedPart,
  shippedPart,
  floorPart,
  curvePart,
  samplerPart,
  memoryPart,
  kernelPart,
  largePart,
  torchPart,
  gridPart,
  coordinatorPart,
];

const HELP = `npm run bench -- [--only PART ...] [--backend NAME] [--clock CLOCK] [--json FILE]

  --only PART     measure this part alone; may be given more than once
  --backend NAME  auto, ${BACKEND_NAMES.join(", ")} [auto]
  --clock CLOCK   wall, or processor: time of this process's threads alone, for a machine that is busy [wall]
  --long          the coordinator at the sizes that its floors are for: a quarter of an hour
  --group TEXT    of the coordinator's part the groups with this in their names; may be given more than once
  --json FILE     where the numbers go [dist/bench.json]

Parts
${PARTS.map(({ name, summary }) => `  ${name.padEnd(11)} ${summary}`).join("\n")}

Example: OCCAM_BENCH_PYTHON=~/torch/bin/python npm run bench -- --only torch --only sampler
`;

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    backend: { type: "string", default: "auto" },
    clock: { type: "string", default: "wall" },
    json: { type: "string", default: "dist/bench.json" },
    long: { type: "boolean", default: false },
    group: { type: "string", multiple: true, default: [] },
    help: { type: "boolean", short: "h", default: false },
  },
});

function backendOf(name: string): "auto" | BackendName {
  const known = (["auto", ...BACKEND_NAMES] as const).find((candidate) => candidate === name);
  if (known === undefined) throw new Error(`--backend is one of auto, ${BACKEND_NAMES.join(", ")}, not ${name}`);
  return known;
}

function clockOf(name: string): Clock {
  if (name === "processor") return processorClock;
  if (name === "wall") return systemClock;
  throw new Error(`--clock is wall or processor, not ${name}`);
}

function partsOf(names: readonly string[]): readonly Part[] {
  const unknown = names.find((name) => PARTS.every((part) => part.name !== name));
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such part; see --help`);
  return names.length === 0 ? PARTS : PARTS.filter(({ name }) => names.includes(name));
}

function tableOf(measurements: readonly Measurement[]): string {
  const rows = measurements.map(({ name, value, unit, spread, ratio, against }) => [
    name,
    value.toPrecision(3),
    unit,
    spread === null ? "" : `±${(100 * spread).toFixed(0)}%`,
    ratio === null ? "" : `${ratio.toPrecision(3)}x`,
    against,
  ]);
  if (measurements.some(({ method }) => method !== undefined)) return barTableOf(measurements);
  const all = [["measurement", "value", "unit", "spread", "ratio", "to"], ...rows];
  return aligned(all);
}

/** Numbers that are to reach something, each with how it was measured. */
function barTableOf(measurements: readonly Measurement[]): string {
  const rows = measurements.map((measurement) => {
    const { name, value, unit, bar, method = "" } = measurement;
    const [floor, stretch] = bar === undefined ? ["", ""] : [String(bar.floor), String(bar.stretch ?? "")];
    const sign = bar === undefined ? "" : bar.most ? "<= " : ">= ";
    return [name, Number(value.toPrecision(3)).toLocaleString("en"), unit, sign + floor, stretch, verdictOf(measurement), method]; // prettier-ignore
  });
  return aligned([["measurement", "value", "unit", "floor", "stretch", "", "method"], ...rows]);
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => row.map((text, column) => text.padEnd(widths[column]!)).join("  ").trimEnd()).join("\n"); // prettier-ignore
}

type Outcome = Awaited<ReturnType<Part["run"]>>;

async function measureAll(parts: readonly Part[]): Promise<void> {
  const clock = clockOf(flags.clock);
  const onFallback = (reason: string): void => console.error(reason);
  let engine: Engine | undefined;
  const opened = async (): Promise<Engine> => {
    if (engine !== undefined) return engine;
    engine = await openEngine(backendOf(flags.backend), { clock, onFallback });
    console.log(`${engine.backend}: ${engine.device}`);
    return engine;
  };
  const outcomes: Record<string, Outcome> = {};
  for (const part of parts) {
    const { name } = part;
    const startMs = systemClock.monotonicMs();
    console.error(`measuring ${name} ...`);
    const outcome = await (part.needsEngine === false
      ? part.run({ long: flags.long, groups: flags.group, say: (group) => console.error(`  ${group}`) })
      : part.run(await opened()));
    outcomes[name] = outcome;
    console.error(`measured ${name} in ${((systemClock.monotonicMs() - startMs) / 1000).toFixed(1)} s`);
    console.log(`\n${name}\n${"skipped" in outcome ? `skipped: ${outcome.skipped}` : tableOf(outcome)}`);
  }
  mkdirSync(dirname(flags.json), { recursive: true });
  const machine = { cpu: cpus()[0]?.model ?? "", cores: cpus().length, node: process.version };
  const report = {
    version: PACKAGE_VERSION,
    ...(engine === undefined ? {} : { backend: engine.backend, device: engine.device }),
    clock: flags.clock,
    machine,
    parts: outcomes,
  };
  writeFileSync(flags.json, `${JSON.stringify(report, null, 2)}\n`);
}

if (flags.help) console.log(HELP);
else await measureAll(partsOf(flags.only));
