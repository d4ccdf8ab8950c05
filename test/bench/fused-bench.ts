/** What fusing is worth: members of a fused program against the same program with one member, on our kernels both. */
import type { Engine } from "../../worker/engine/engine.ts";
import { interleaved, measured, turnOf, type Measurement } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

const CASES = [
  { name: "MLP 16-32-32-1, batch 128", given: SHAPES.mlp, members: 64 },
  { name: "transformer d 32, 1 layer, batch 16 x 32", given: SHAPES.transformer, members: 16 },
  { name: "CNN 28 x 28, depth 2, width 8, batch 64", given: SHAPES.cnn, members: 16 },
] as const;

export const fusedPart: Part = {
  name: "fused",
  summary: "training steps, K members fused against one at a time",
  run: async (engine) => {
    const rows: Measurement[] = [];
    for (const each of CASES) rows.push(...(await fusedAgainstAlone(engine, each)));
    return rows;
  },
};

async function fusedAgainstAlone(
  engine: Engine,
  { name, given, members }: (typeof CASES)[number],
): Promise<readonly Measurement[]> {
  const alone = await TrainingProgram.open(engine, given, 1);
  const fused = await TrainingProgram.open(engine, given, members);
  const rounds = await interleaved({
    alone: turnOf(engine.clock, 1, () => alone.step()),
    fused: turnOf(engine.clock, members, () => fused.step()),
  });
  alone.dispose();
  fused.dispose();
  const unit = "ms/member/step";
  return [
    measured(`${name}, one at a time`, unit, rounds.alone),
    measured(`${name}, ${members} fused`, unit, rounds.fused, { name: "one at a time", rounds: rounds.alone }),
  ];
}
