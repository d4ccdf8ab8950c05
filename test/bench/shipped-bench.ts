/**
 * Ours against TensorFlow.js as it is shipped: what a user writes for one network, our program with one member, and our fused
 * program, the last two with our kernels taken off. Only the wasm backend has kernels to take off.
 */
import type { Engine } from "../../worker/engine/engine.ts";
import { withShippedKernels } from "../../worker/engine/wasm/load.ts";
import { interleaved, measured, turnOf, type Measurement, type Turn } from "./measurement.ts";
import type { Part } from "./part.ts";
import { plainNetwork } from "./plain-tfjs.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

const UNIT = "ms/member/step";
/** Minutes of nothing but waiting would tell no more: the shipped kernels take hundreds of milliseconds a step. */
const ROUNDS = 3;

export const shippedPart: Part = {
  name: "shipped",
  summary: "training steps, ours against TensorFlow.js as it is shipped",
  run: async (engine) => {
    if (engine.backend !== "wasm") return { skipped: `backend ${engine.backend} has no kernels of ours to take off` };
    return [
      ...(await mlp(engine)),
      ...(await program(engine, "transformer d 32, 1 layer", SHAPES.transformer, 16)),
      ...(await program(engine, "CNN 28 x 28, depth 2, width 8", SHAPES.cnn, 16)),
    ];
  },
};

const shippedTurn = (engine: Engine, units: number, work: () => void): Turn =>
  turnOf(engine.clock, units, () => withShippedKernels(engine.tf, work));

async function mlp(engine: Engine): Promise<readonly Measurement[]> {
  const plain = plainNetwork(engine.tf, [16, 32, 32, 1], 1024, 128);
  const one = await TrainingProgram.open(engine, SHAPES.mlp, 1);
  const many = await TrainingProgram.open(engine, SHAPES.mlp, 64);
  const rounds = await interleaved(
    {
      plain: shippedTurn(engine, 1, () => plain.step()),
      one: shippedTurn(engine, 1, () => one.step()),
      many: shippedTurn(engine, 64, () => many.step()),
      ours: turnOf(engine.clock, 64, () => many.step()),
    },
    ROUNDS,
  );
  for (const each of [plain, one, many]) each.dispose();
  const ours = { name: "ours, 64 fused", rounds: rounds.ours };
  return [
    measured("MLP 16-32-32-1, ours, 64 fused", UNIT, rounds.ours),
    measured("MLP 16-32-32-1, shipped tfjs, a user's code, one model", UNIT, rounds.plain, ours),
    measured("MLP 16-32-32-1, shipped kernels, our program, K = 1", UNIT, rounds.one, ours),
    measured("MLP 16-32-32-1, shipped kernels, our program, K = 64", UNIT, rounds.many, ours),
  ];
}

async function program(
  engine: Engine,
  name: string,
  given: (typeof SHAPES)["transformer" | "cnn"],
  members: number,
): Promise<readonly Measurement[]> {
  const one = await TrainingProgram.open(engine, given, 1);
  const many = await TrainingProgram.open(engine, given, members);
  const rounds = await interleaved(
    {
      one: shippedTurn(engine, 1, () => one.step()),
      many: shippedTurn(engine, members, () => many.step()),
      ours: turnOf(engine.clock, members, () => many.step()),
    },
    ROUNDS,
  );
  one.dispose();
  many.dispose();
  const ours = { name: `ours, ${members} fused`, rounds: rounds.ours };
  return [
    measured(`${name}, ours, ${members} fused`, UNIT, rounds.ours),
    measured(`${name}, shipped kernels, our program, K = 1`, UNIT, rounds.one, ours),
    measured(`${name}, shipped kernels, our program, K = ${members}`, UNIT, rounds.many, ours),
  ];
}
