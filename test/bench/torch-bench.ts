/** Ours against PyTorch on one CPU thread, or on the GPU that ours is on, in turns: one model at a time, stacked by hand, vmap, and SGLD chains. */
import type { Engine } from "../../worker/engine/engine.ts";
import { interleaved, measured, turnOf, type Measurement, type Turn } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SamplingProgram } from "./sampling-program.ts";
import { isOnGpu, TorchProcess } from "./torch-process.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

/** What a GPU has room for, it is to have. */
const membersOn = (engine: Engine): number => (isOnGpu(engine) ? 512 : 64);
const STEPS = 25;

export const torchPart: Part = {
  name: "torch",
  summary: "training and sampling steps against PyTorch on the same device (OCCAM_BENCH_PYTHON: a python that has it)",
  run: async (engine) => {
    const torch = await TorchProcess.open(engine);
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
  const members = membersOn(engine);
  const training = await TrainingProgram.open(engine, SHAPES.mlp, members);
  const ours = turnOf(engine.clock, members, () => training.step());
  const rows = await against(torch, `MLP 16-32-32-1, batch 128, Adam, K = ${members}`, ours, {
    "eager, one at a time": ["mlp-eager", 1],
    "stacked by hand": ["mlp-stacked", members],
    "stacked by hand, fused Adam": ["mlp-stacked-fused-adam", members],
    vmap: ["mlp-vmap", members],
  });
  training.dispose();
  return rows;
}

async function sampler(engine: Engine, torch: TorchProcess): Promise<readonly Measurement[]> {
  const chains = membersOn(engine);
  const sampling = await SamplingProgram.open(engine, SHAPES.mlp, chains / 4, 4);
  await sampling.turn(4 * STEPS);
  const rows = await against(torch, `MLP 16-32-32-1, batch 128, SGLD, ${chains} chains`, () => sampling.turn(STEPS), {
    "as devinterp does it, one chain at a time": ["sgld-eager", 1],
    "stacked by hand": ["sgld-stacked", chains],
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
