/** A sampler step, readings and noise included, against the gradient that it contains and against a training step. */
import type { Engine } from "../../worker/engine/engine.ts";
import { rowGradients } from "../../worker/engine/program.ts";
import { interleaved, measured, turnOf } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SamplingProgram } from "./sampling-program.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

const CELLS = 16;
const CHAINS = 4;
/** Steps of a turn; a multiple of those that are read together. */
const STEPS = 25;

export const samplerPart: Part = {
  name: "sampler",
  summary: "a sampler step against the fused gradient alone and against a training step",
  run: async (engine) => {
    const sampling = await SamplingProgram.open(engine, SHAPES.mlp, CELLS, CHAINS);
    const training = await TrainingProgram.open(engine, SHAPES.mlp, sampling.lanes);
    const gradient = gradientOf(engine, sampling);
    await sampling.turn(4 * STEPS);
    const rounds = await interleaved({
      sampler: () => sampling.turn(STEPS),
      gradient: turnOf(engine.clock, sampling.lanes, gradient.step),
      training: turnOf(engine.clock, training.members, () => training.step()),
    });
    gradient.dispose();
    training.dispose();
    await sampling.dispose();
    const name = `MLP 16-32-32-1, batch 128, ${CELLS} cells x ${CHAINS} chains`;
    const unit = "ms/chain/step";
    return [
      measured(`${name}, sampler step`, unit, rounds.sampler),
      measured(`${name}, sampler step`, unit, rounds.sampler, { name: "gradient alone", rounds: rounds.gradient }),
      measured(`${name}, sampler step`, unit, rounds.sampler, { name: "training step", rounds: rounds.training }),
      measured(`${name}, gradient alone`, unit, rounds.gradient),
    ];
  },
};

/** The gradient of every lane on one batch each, that stays. */
function gradientOf({ tf }: Engine, { program, data, lanes, batch }: SamplingProgram) {
  const datasets = Array.from({ length: lanes }, () => 0);
  const given = data.gather("train", datasets, Int32Array.from({ length: lanes * batch }, (_, i) => i % data.rows("train"))); // prettier-ignore
  const weights = program.parameters.map(({ shape }) => tf.randomNormal([lanes, ...shape], 0, 0.1));
  return {
    step: () => {
      const { rows, gradients } = rowGradients(program, weights, given);
      tf.dispose([rows, ...gradients]);
    },
    dispose: () => tf.dispose([given.input, given.targets, ...weights]),
  };
}
