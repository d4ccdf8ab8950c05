/** The Gauss-Newton kernel of one cell, 256 rows: its Jacobian's rows, and their spectrum. */
import { rootKey } from "../../src/core/random.ts";
import { kernelRows, type KernelSource } from "../../worker/complexity/kernel.ts";
import { spectrumOf } from "../../worker/complexity/spectrum.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { openProgram } from "../../worker/engine/program.ts";
import { FusedData } from "../../worker/train/fused-data.ts";
import { FusedUpdate } from "../../worker/train/fused-update.ts";
import { memberOf } from "../../worker/train/members.ts";
import { tinyCell } from "../support/tiny-cells.ts";
import { interleaved, measured, turnOf, type Measurement } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SHAPES } from "./training-program.ts";

const ROWS = 256;

const CASES = [
  ["MLP 16-32-32-1", SHAPES.mlp],
  ["transformer d 32, 1 layer", SHAPES.transformer],
  ["CNN 28 x 28, depth 2, width 8", SHAPES.cnn],
] as const;

export const kernelPart: Part = {
  name: "kernel",
  summary: `the Gauss-Newton kernel of a cell, ${ROWS} rows, and its spectrum`,
  run: async (engine) => {
    const rows: Measurement[] = [];
    for (const [name, given] of CASES) rows.push(...(await kernelCost(engine, name, given)));
    return rows;
  },
};

async function kernelCost(
  engine: Engine,
  name: string,
  given: (typeof CASES)[number][1],
): Promise<readonly Measurement[]> {
  const cell = tinyCell(given);
  const program = openProgram(engine, cell.config);
  const data = new FusedData(program, [await engine.datasets.load(cell.config.data)]);
  const initial = FusedUpdate.start(program, [memberOf(cell, 0)]);
  const source: KernelSource = { program, data, dataset: 0, weights: initial.weightsOf(0), key: rootKey("bench") };
  const kernel = kernelRows(source, ROWS);
  const rounds = await interleaved({
    rows: turnOf(engine.clock, 1, () => void kernelRows(source, ROWS)),
    spectrum: turnOf(engine.clock, 1, () => void spectrumOf(kernel)),
  });
  initial.dispose();
  data.dispose();
  const label = `${name} (${program.parameterCount} parameters)`;
  return [
    measured(`${label}, rows`, "ms/cell", rounds.rows),
    measured(`${label}, Gram matrix and eigenvalues`, "ms/cell", rounds.spectrum),
  ];
}
