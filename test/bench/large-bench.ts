/** Single networks of 10^6 to 10^8 parameters: a training step, and a step of their four chains, against PyTorch where it is. */
import { chainBytes, trainingBytes } from "../../src/spec/memory.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { openProgram } from "../../worker/engine/program.ts";
import { tinyCell, type CellGiven } from "../support/tiny-cells.ts";
import { interleaved, measured, turnOf, type Measurement, type Turn } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SamplingProgram } from "./sampling-program.ts";
import { TorchProcess } from "./torch-process.ts";
import { TrainingProgram } from "./training-program.ts";

/** Of four hidden layers: 1.0, 10.1 and 100 million parameters. */
const WIDTHS = [564, 1_820, 5_760];
const CHAINS = 4;
const ROWS = 1024;
const BATCH = 128;
const ROUNDS = 3;
/** Steps of a turn; a multiple of those that are read together. */
const STEPS = 25;

export const largePart: Part = {
  name: "large",
  summary: "a training step and a sampler step of networks of 10^6 to 10^8 parameters, as far as memory goes",
  run: async (engine) => {
    const torch = await TorchProcess.open(engine);
    const rows: Measurement[] = [];
    for (const width of WIDTHS) {
      const given = networkOf(width);
      const needed = bytesOf(engine, given);
      if (needed <= engine.memoryBudgetBytes) {
        rows.push(...(await ofWidth(engine, given, width, torch)));
      } else {
        console.error(`width ${width} needs ${(needed / 2 ** 30).toFixed(1)} GiB and is left out`);
      }
    }
    if (!("skipped" in torch)) torch.dispose();
    return rows;
  },
};

const networkOf = (width: number): CellGiven => ({
  data: { kind: "teacher-student", inputs: 64, outputs: 10, train: ROWS, test: 128 },
  architecture: { kind: "mlp", activation: "relu", depth: 4, width },
  optimizer: { kind: "adam" },
  train: { batch: BATCH },
});

/** Of the larger of the two programs. */
function bytesOf(engine: Engine, given: CellGiven): number {
  const program = openProgram(engine, tinyCell(given).config);
  return Math.max(trainingBytes(program, BATCH, 2), chainBytes(program, ROWS / BATCH, BATCH, CHAINS));
}

async function ofWidth(
  engine: Engine,
  given: CellGiven,
  width: number,
  torch: TorchProcess | { readonly skipped: string },
): Promise<readonly Measurement[]> {
  const training = await TrainingProgram.open(engine, given, 1);
  const parameters = `${(training.program.parameterCount / 1e6).toFixed(1)} M parameters`;
  const turns: Record<string, Turn> = { ours: turnOf(engine.clock, 1, () => training.step()) };
  if (!("skipped" in torch)) turns[`torch ${torch.version}, eager`] = torch.turn("large-eager", width);
  const trained = await interleaved(turns, ROUNDS);
  training.dispose();
  const sampling = await SamplingProgram.open(engine, given, 1, CHAINS);
  const sampled = await interleaved({ chains: () => sampling.turn(STEPS) }, ROUNDS);
  await sampling.dispose();
  const reference = { name: "ours", rounds: trained["ours"]! };
  return [
    ...Object.entries(trained).map(
      ([who, rounds]) =>
      measured(`training, ${parameters}, batch ${BATCH}, ${who}`, "ms/step", rounds, who === "ours" ? undefined : reference), // prettier-ignore
    ),
    measured(`sampling, ${parameters}, ${CHAINS} chains`, "ms/chain/step", sampled.chains),
  ];
}
