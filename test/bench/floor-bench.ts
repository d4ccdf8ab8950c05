/**
 * How much of a training step is arithmetic: the products of a 64-128-128-10 network alone, on the shapes of the step,
 * against the whole step (data, forward, backward, Adam). The products' own rate is the ceiling of this machine.
 */
import type { Rank } from "@tensorflow/tfjs-core";
import type { Tensor3D } from "../../src/catalogue/entry.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { interleaved, measured, turnOf, type Measurement, type Rounds } from "./measurement.ts";
import type { Part } from "./part.ts";
import { SHAPES, TrainingProgram } from "./training-program.ts";

const UNITS = [64, 128, 128, 10];
const MEMBERS = 32;
const BATCH = 128;

/** One product, a [K, ...] by b [K, ...]. */
interface Product {
  readonly a: Tensor3D;
  readonly b: Tensor3D;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly flops: number;
}

export const floorPart: Part = {
  name: "floor",
  summary: "GFLOP/s of a training step at 64-128-128-10, batch 128, K = 32, and of its products alone",
  run: async (engine) => {
    const training = await TrainingProgram.open(engine, SHAPES.wideMlp, MEMBERS);
    const products = productsOf(engine);
    const rounds = await interleaved({
      step: turnOf(engine.clock, 1, () => training.step()),
      products: turnOf(engine.clock, 1, () => products.forEach((product) => multiply(engine, product))),
    });
    training.dispose();
    engine.tf.dispose(products.flatMap(({ a, b }) => [a, b]));
    const flops = products.reduce((sum, product) => sum + product.flops, 0);
    return [...rateRows("products alone", rounds.products, flops), ...stepRows(rounds, flops)];
  },
};

function rateRows(name: string, rounds: Rounds, flops: number): readonly Measurement[] {
  return [measured(`64-128-128-10, ${name}`, "GFLOP/s", rounds.map((ms) => flops / ms / 1e6))]; // prettier-ignore
}

function stepRows({ step, products }: Readonly<Record<"step" | "products", Rounds>>, flops: number) {
  const rate = (rounds: Rounds): Rounds => rounds.map((ms) => flops / ms / 1e6);
  return [
    measured("64-128-128-10, whole step", "GFLOP/s", rate(step), { name: "products alone", rounds: rate(products) }),
    measured("64-128-128-10, whole step", "ms/member/step", step.map((ms) => ms / MEMBERS)), // prettier-ignore
  ];
}

/** Forward x W, and of the backward pass x^T dy for each layer and dy W^T for each but the first. */
function productsOf({ tf }: Engine): readonly Product[] {
  const random = (rows: number, columns: number): Tensor3D => tf.randomNormal<Rank.R3>([MEMBERS, rows, columns]);
  return UNITS.slice(1).flatMap((fanOut, layer) => {
    const fanIn = UNITS[layer]!;
    const flops = 2 * MEMBERS * BATCH * fanIn * fanOut;
    const forward = { a: random(BATCH, fanIn), b: random(fanIn, fanOut), transposeA: false, transposeB: false, flops };
    const weight = { a: random(BATCH, fanIn), b: random(BATCH, fanOut), transposeA: true, transposeB: false, flops };
    const input = { a: random(BATCH, fanOut), b: random(fanIn, fanOut), transposeA: false, transposeB: true, flops };
    return layer === 0 ? [forward, weight] : [forward, weight, input];
  });
}

function multiply({ tf }: Engine, { a, b, transposeA, transposeB }: Product): void {
  tf.matMul(a, b, transposeA, transposeB).dispose();
}
