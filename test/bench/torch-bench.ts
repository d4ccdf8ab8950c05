/** Ours against PyTorch on one CPU thread, in turns: one model at a time, stacked by hand, vmap, and SGLD chains. */
import type { Engine } from "../../worker/engine/engine.ts";
import { interleaved, measured, turnOf, type Measurement, type Turn } from "./measurement.ts";
import type { Part } from "./part.ts";
import { processorClock } from "./processor-clock.ts";
import { SamplingProgram } from "./sampling-program.ts";
import { TorchProcess } from "./torch-process.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

const MLP_MEMBERS = 64;
const STEPS = 25;

export const torchPart: Part = {
  name: "torch",
  summary: "training and sampling steps against PyTorch on one CPU thread (OCCAM_BENCH_PYTHON: a python that has it)",
  run: async (engine) => {
    const torch = await TorchProcess.open(engine.clock === processorClock ? "processor" : "wall");
    if ("skipped" in torch) return torch;
    try {
      return [
        ...(await mlp(engine, torch)),
        ...(await sampler(engine, torch)),
        ...(await eager(engine, torch, "transformer d 32, 1 layer, batch 16 x 32", "transformer")),
        ...(await eager(engine, torch, "CNN 28 x 28, depth 2, width 8, batch 64", "cnn")),
      ];
    } finally {
      torch.dispose();
    }
  },
};

/** Rows of `ours` against each of torch's. */
async function against(
  torch: TorchProcess,
  name: string,
  ours: Turn,
  cases: Readonly<Record<string, readonly [string, number]>>,
): Promise<readonly Measurement[]> {
  const turns = Object.entries(cases).map(([label, [kind, members]]) => [label, torch.turn(kind, members)] as const);
  const rounds = await interleaved<string>({ ours, ...Object.fromEntries(turns) });
  const unit = "ms/member/step";
  return [
    measured(`${name}, ours`, unit, rounds["ours"]!),
    ...turns.map(([label]) => {
      const reference = { name: "ours", rounds: rounds["ours"]! };
      return measured(`${name}, torch ${torch.version}, ${label}`, unit, rounds[label]!, reference);
    }),
  ];
}

async function mlp(engine: Engine, torch: TorchProcess): Promise<readonly Measurement[]> {
  const training = await TrainingProgram.open(engine, SHAPES.mlp, MLP_MEMBERS);
  const ours = turnOf(engine.clock, MLP_MEMBERS, () => training.step());
  const rows = await against(torch, `MLP 16-32-32-1, batch 128, Adam, K = ${MLP_MEMBERS}`, ours, {
    "eager, one at a time": ["mlp-eager", 1],
    "stacked by hand": ["mlp-stacked", MLP_MEMBERS],
    "stacked by hand, fused Adam": ["mlp-stacked-fused-adam", MLP_MEMBERS],
    vmap: ["mlp-vmap", MLP_MEMBERS],
  });
  training.dispose();
  return rows;
}

async function sampler(engine: Engine, torch: TorchProcess): Promise<readonly Measurement[]> {
  const sampling = await SamplingProgram.open(engine, SHAPES.mlp, MLP_MEMBERS / 4, 4);
  await sampling.turn(4 * STEPS);
  const rows = await against(torch, "MLP 16-32-32-1, batch 128, SGLD, 64 chains", () => sampling.turn(STEPS), {
    "as devinterp does it, one chain at a time": ["sgld-eager", 1],
    "stacked by hand": ["sgld-stacked", MLP_MEMBERS],
  });
  await sampling.dispose();
  return rows;
}

async function eager(
  engine: Engine,
  torch: TorchProcess,
  name: string,
  shape: "transformer" | "cnn",
): Promise<readonly Measurement[]> {
  const rows: Measurement[] = [];
  for (const members of [8, 16]) {
    const training = await TrainingProgram.open(engine, SHAPES[shape], members);
    const ours = turnOf(engine.clock, members, () => training.step());
    rows.push(...(await against(torch, `${name}, K = ${members}`, ours, { "eager, one at a time": [`${shape}-eager`, 1] }))); // prettier-ignore
    training.dispose();
  }
  return rows;
}
