/**
 * `occam calibrate`: one cell, trained once in this process, estimated by some twenty settings, and what they come to. In one
 * process because cells that differ in their estimate alone would each be trained by a worker of their own; nothing is stored,
 * so a calibration that is stopped starts over.
 */
import { relative } from "node:path";
import { calibrate, type Calibration } from "../../calibrate/calibration.ts";
import { estimateBlock } from "../../calibrate/estimate-block.ts";
import type { CalibratedEstimand } from "../../calibrate/settings.ts";
import { EXIT, OccamError } from "../../core/errors.ts";
import type { GridPoint } from "../../spec/sweep.ts";
import { writeCalibration } from "../../report/calibration-report.ts";
import { widthOf, type Io } from "../io.ts";
import { formatFigure } from "../output/format.ts";
import { listenForInterrupts } from "../run/interrupts.ts";
import type { BackendName } from "../options.ts";
import { readSpec } from "../spec-file.ts";
import { pathIn } from "../token.ts";
import { calibrationTable, doubtLines, measurementLine } from "./calibration-text.ts";
import { pickCell } from "./pick-cell.ts";
import { StatusLine } from "./status-line.ts";

export interface CalibrateArgs {
  readonly spec: string;
  readonly cell: string | undefined;
  readonly where: string | undefined;
  readonly estimand: CalibratedEstimand | undefined;
  readonly out: string | undefined;
  readonly backend: BackendName;
  readonly json: boolean;
}

export async function calibrateCell(args: CalibrateArgs, io: Io): Promise<number> {
  const interrupts = listenForInterrupts();
  try {
    const { spec } = await readSpec(args.spec, io);
    const point = pickCell(spec, args);
    const outDir = pathIn(io.cwd, args.out ?? `occam-out/${spec.name}-calibration`);
    const found = await measured(point, args, io, interrupts.stop);
    const block = estimateBlock(point.cell.config, found.calibration);
    const files = await writeCalibration(outDir, { ...found, name: spec.name, block });
    await print(found, { block, files, outDir, point }, args.json, io);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof OccamError) || error.code !== "cancelled") throw error;
    await io.err.write("stopped; a calibration keeps nothing, the same command starts over\n");
    return EXIT.drained;
  } finally {
    interrupts.dispose();
  }
}

interface Found {
  readonly calibration: Calibration;
  /** Which cell it was and how it was trained. */
  readonly lede: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

async function measured(point: GridPoint, args: CalibrateArgs, io: Io, signal: AbortSignal): Promise<Found> {
  const { cell } = point;
  // Progress stands on standard output for people, and nowhere where a script reads it.
  const status = new StatusLine(args.json ? undefined : io.out);
  await status.line(`cell ${cell.id.slice(0, 12)}: ${valuesText(point)}`);
  status.begin("training");
  // oxlint-disable-next-line no-restricted-imports -- only a worker can train
  const { trainCell } = await import("../../../worker/calibrate.ts");
  const trained = await trainCell(cell, {
    backend: args.backend,
    clock: io.clock,
    signal,
    onProgress: ({ step, steps }) => void status.at(step / steps),
    onNote: (text) => void status.line(`  ${text}`),
  });
  try {
    const { backend, parameters, steps, trainLoss, trainSeconds } = trained;
    const how = `${parameters} parameters, trained for ${steps} steps in ${formatFigure(Number(trainSeconds.toPrecision(3)))} s on ${backend}, training loss ${formatFigure(trainLoss)}`;
    await status.line(how);
    const calibration = await calibrate(cell.config, parameters, args.estimand, {
      measure: (config) => trained.estimate(config),
      begin: (label, index, of) => status.begin(`${index} of ${of}: ${label}`),
      ended: (one) => status.line(measurementLine(one, io.out.paint)),
    });
    const lede = `Cell ${cell.id.slice(0, 12)} (${valuesText(point)}): ${how}.`;
    return { calibration, lede, facts: { cellId: cell.id, backend, parameters, steps, trainLoss, trainSeconds } };
  } finally {
    trained.dispose();
  }
}

function valuesText({ point }: GridPoint): string {
  const values = Object.entries(point).filter(([, value]) => value !== null);
  return values.map(([path, value]) => `${path}=${String(value)}`).join(" ");
}

interface Output {
  readonly block: string;
  readonly files: readonly string[];
  readonly outDir: string;
  readonly point: GridPoint;
}

async function print({ calibration, facts }: Found, output: Output, json: boolean, io: Io): Promise<void> {
  const { block, files, outDir, point } = output;
  if (json) {
    await io.out.write(`${JSON.stringify({ ...facts, point: point.point, ...calibration, block, outDir, files })}\n`);
    return;
  }
  const width = io.out.columns() === undefined ? Number.POSITIVE_INFINITY : widthOf(io.out);
  const shown = relative(io.cwd, outDir);
  const folder = shown === "" || shown.startsWith("..") ? outDir : shown;
  const lines = ["", ...calibrationTable(calibration, width), "", ...doubtLines(calibration, io.out.paint), block];
  await io.out.write(`${lines.join("\n")}\nfiles in ${folder}: ${files.join(", ")}\n`);
}
