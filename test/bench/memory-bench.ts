/** Live tensors over 1,000 steps of training and of sampling: none may be gained. */
import type { Engine } from "../../worker/engine/engine.ts";
import { measured, type Measurement } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SamplingProgram } from "./sampling-program.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

const STEPS = 1000;
const WARM_UP_STEPS = 25;

export const memoryPart: Part = {
  name: "memory",
  summary: "live tensors over 1,000 steps of training and of sampling",
  run: async (engine) => {
    const training = await TrainingProgram.open(engine, SHAPES.mlp, 4);
    const trained = await gained(engine, "training", async (steps) => {
      for (let step = 0; step < steps; step += 1) training.step();
    });
    training.dispose();
    const sampling = await SamplingProgram.open(engine, SHAPES.mlp, 2, 4);
    const sampled = await gained(engine, "sampling", async (steps) => {
      await sampling.turn(steps);
    });
    await sampling.dispose();
    return [...trained, ...sampled];
  },
};

async function gained(
  { memory }: Engine,
  name: string,
  run: (steps: number) => Promise<void>,
): Promise<readonly Measurement[]> {
  await run(WARM_UP_STEPS);
  const before = memory();
  await run(STEPS);
  const after = memory();
  return [
    measured(`gained over ${STEPS} steps of ${name}`, "tensors", [after.tensors - before.tensors]),
    measured(`gained over ${STEPS} steps of ${name}`, "bytes", [after.bytes - before.bytes]),
  ];
}
