/** What every architecture of the registry must do, on every small task that it supports. */
import { beforeAll, describe, expect, test } from "vitest";
import { ARCHITECTURES } from "../../src/catalogue/registry.ts";
import {
  outputWidth,
  type Architecture,
  type Config,
  type Task,
  type Tensor3D,
  type Tf,
} from "../../src/catalogue/entry.ts";
import { ModelUnderTest, ROWS } from "../support/model-under-test.ts";
import { smallConfigs } from "../support/schema-variants.ts";
import { SMALL_TASKS } from "../support/small-tasks.ts";
import { bitsOf, normals, sizeOf, stack, unstack } from "../support/stacked.ts";
import { expectSame, openTestBackend, settled, THE_SAME } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

interface Case {
  readonly name: string;
  readonly architecture: Architecture;
  readonly config: Config;
  readonly task: Task;
}

const cases: readonly Case[] = ARCHITECTURES.flatMap((architecture) =>
  smallConfigs(architecture).flatMap(([variant, config]) =>
    Object.entries(SMALL_TASKS)
      .filter(([, task]) => architecture.unsupported(config, task) === undefined)
      .map(([taskName, task]) => ({ name: `${variant}, ${taskName}`, architecture, config, task })),
  ),
);

const open = ({ architecture, config, task }: Case): ModelUnderTest =>
  new ModelUnderTest(tf, architecture, config, task);

test.each(ARCHITECTURES.map((architecture) => [architecture.kind] as const))(
  "%s supports at least two of the small tasks",
  (kind) => {
    const tasks = new Set(cases.filter(({ architecture }) => architecture.kind === kind).map(({ task }) => task));
    expect(tasks.size).toBeGreaterThanOrEqual(2);
  },
);

describe.each(cases)("$name", (each) => {
  test("its parameters have distinct names, positive shapes and finite initial values", () => {
    const { parameters } = open(each);
    expect(new Set(parameters.map(({ name }) => name)).size).toBe(parameters.length);
    for (const { shape, initial } of parameters) {
      expect(shape.length).toBeGreaterThan(0);
      expect(shape.every((length) => Number.isInteger(length) && length > 0)).toBe(true);
      expect(initial.kind === "normal" ? initial.std > 0 : Number.isFinite(initial.value)).toBe(true);
    }
  });

  test("its prepared rows have the length that it promises", () => {
    const model = open(each);
    expect(model.input(0).length).toBe(ROWS * model.preparedSize);
    if (each.architecture.prepare === undefined) expect(model.preparedSize).toBe(model.storedSize);
  });

  test("its output is finite and has a row for each position", () => {
    const { output } = each.task;
    const positions = output.kind === "classes" ? output.positions : 1;
    tf.tidy(() => {
      const model = open(each);
      const value = model.forward(model.stackWeights([0, 1]), model.stackInput([0, 1]));
      expect(value.shape).toEqual([2, ROWS * positions, outputWidth(output)]);
      expect(value.dataSync().every(Number.isFinite)).toBe(true);
    });
  });

  test("its gradients agree with central differences", async () => {
    await expectGradientsToAgree(open(each), each.config["activation"] === "relu");
  });

  test(`a member's output and gradients are ${THE_SAME} in a program of five and of two, and twice`, () => {
    const model = open(each);
    const five = model.run([0, 1, 2, 3, 4]);
    expect(five.outputs.map(bitsOf)).not.toEqual(five.outputs.map(() => bitsOf(five.outputs[0]!)));
    for (let member = 0; member < 5; member += 1) {
      // Once first and once second, beside another member each time.
      const pair = model.run([member, (member + 1) % 5]);
      for (const [place, k] of [member, (member + 1) % 5].entries()) {
        expectSame(pair.outputs[place]!, five.outputs[k]!);
        pair.gradients.forEach((gradient, index) =>
          expectSame(gradient[place]!, five.gradients[index]![k]!, model.parameters[index]!.name),
        );
      }
    }
    const again = model.run([0, 1, 2, 3, 4]);
    again.outputs.forEach((values, member) => expectSame(values, five.outputs[member]!));
    again.gradients.forEach((gradient, index) =>
      gradient.forEach((values, member) => expectSame(values, five.gradients[index]![member]!)),
    );
  });

  test("it shows its hidden activations in a fixed order, as [members, rows, width], and goes on with what it gets", () => {
    const model = open(each);
    const shapesOf = (change: (activation: Tensor3D) => Tensor3D) => {
      const shapes: (readonly number[])[] = [];
      const output = tf.tidy(() => {
        const hidden = (activation: Tensor3D): Tensor3D => {
          shapes.push(activation.shape);
          return change(activation);
        };
        return unstack(model.forward(model.stackWeights([0, 1]), model.stackInput([0, 1]), hidden)) as never;
      });
      return { shapes, output: output as readonly Float32Array[] };
    };
    const plain = shapesOf((activation) => activation);
    const halved = shapesOf((activation) => tf.mul(activation, 0.5));
    expect(halved.shapes).toEqual(plain.shapes);
    for (const shape of plain.shapes) {
      expect(shape.length).toBe(3);
      expect(shape[0]).toBe(2);
    }
    const same = JSON.stringify(plain.output.map(bitsOf)) === JSON.stringify(halved.output.map(bitsOf));
    expect(same).toBe(plain.shapes.length === 0);
  });

  test("its cost counts every multiply-add of its products, and not many times over", async () => {
    // By plain operations, of which each product is one kernel: our own do a whole layer in one.
    const plain = Object.create(tf, { getKernel: { value: () => undefined } }) as Tf;
    const model = new ModelUnderTest(plain, each.architecture, each.config, each.task);
    const profile = await tf.profile(() =>
      tf.tidy(() => void model.forward(model.stackWeights([0, 1]), model.stackInput([0, 1]))),
    );
    const products = profile.kernels
      .filter(({ name }) => name === "BatchMatMul")
      .reduce((sum, { inputShapes, outputShapes }) => {
        const [a, b, out] = [...inputShapes, ...outputShapes].map((shape) => sizeOf(shape)) as [number, number, number];
        // The length of the inner products, whichever operand is transposed: (batch m k) (batch k n) = (batch m n) batch k^2.
        return sum + 2 * out * Math.sqrt((a * b) / (out * outputShapes[0]![0]!));
      }, 0);
    const perRow = products / (2 * ROWS);
    const stated = each.architecture.forwardFlops(each.config, each.task);
    expect(stated).toBeGreaterThanOrEqual(perRow);
    expect(stated).toBeLessThan(3 * perRow);
  });

  test("it leaves no tensor behind and disposes of none that it was given", () => {
    const model = open(each);
    const weights = model.stackWeights([0, 1]);
    const input = model.stackInput([0, 1]);
    const before = tf.memory().numTensors;
    for (let repeat = 0; repeat < 2; repeat += 1) {
      tf.tidy(() => void model.gradients(weights, input));
      expect(tf.memory().numTensors).toBe(before);
    }
    for (const tensor of [...weights, input]) {
      expect(tensor.isDisposed).toBe(false);
      tensor.dispose();
    }
  });
});

/**
 * Finite differences of L along one direction d for each parameter, against <gradient, d>; d has entries +-1/sqrt n, so that
 * every entry of the gradient weighs the same. With D(e) = (L(w + e d) - L(w - e d)) / 2e, the estimate is Richardson's
 * (4 D(e/2) - D(e)) / 3, whose truncation error is of order e^4.
 *
 * e = 2^-6 and the tolerance: L is a sum of some tens of float32 outputs of size about 1 with rounding errors of a few 2^-24
 * each, so D errs by about 1e-6 / e = 1e-4; truncation, e^4 L^(5) / 480 = 1e-10 L^(5), is left to the share of the gradient. A
 * wrong factor or sign, or one entry that is left out of a gradient, is an error of the order of |gradient| / sqrt n, which is
 * 0.06 |gradient| and more for the at most 300 entries here.
 *
 * With relu a kink within e of w spoils the differences that reach over it. Then the second-order difference of the other side,
 * (4 L(e/2) - L(e) - 3 L(0)) / e, is good: L is smooth, and but for layer normalisation linear, between kinks. Where kinks are on
 * both sides a smaller step has fewer of them, and more rounding: one of the estimates with e = 2^-8 .. 2^-11 has to agree. They
 * scatter by some thousandths of |gradient|, a tenth of what the least wrong entry makes.
 */
async function expectGradientsToAgree(model: ModelUnderTest, hasKinks: boolean): Promise<void> {
  const epsilons = hasKinks ? [8, 8.5, 9, 9.5, 10, 10.5, 11].map((octaves) => 2 ** -octaves) : [2 ** -6];
  for (const index of model.parameters.keys()) {
    tf.tidy(() => expectGradientToAgree(model, index, epsilons, hasKinks));
    await settled();
  }
}

function expectGradientToAgree(
  model: ModelUnderTest,
  index: number,
  epsilons: readonly number[],
  hasKinks: boolean,
): void {
  const members = [0, 1, 2];
  const { name, shape } = model.parameters[index]!;
  const input = model.stackInput(members);
  const weights = model.stackWeights(members);
  const gradients = model.gradients(weights, input);
  const size = sizeOf(shape);
  const direction = normals(`direction/${name}`, size).map((draw) => Math.sign(draw) / Math.sqrt(size));
  const step = stack(tf, members.map(() => direction), shape); // prettier-ignore
  const lossAt = (factor: number): readonly number[] => {
    const moved = weights.map((weight, at) => (at === index ? tf.add(weight, tf.mul(step, factor)) : weight));
    return model.losses(unstack(model.forward(moved, input)));
  };
  const losses = epsilons.map((e) => [e, [-e, -e / 2, 0, e / 2, e].map(lossAt)] as const);
  unstack(gradients[index]!).forEach((gradient, k) => {
    const exact = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    const norm = Math.hypot(...gradient);
    expect(norm, `${name} of member ${k} matters`).toBeGreaterThan(0);
    const estimates = losses.flatMap(([e, at]) => differences(e, at.map((members) => members[k]!), hasKinks)); // prettier-ignore
    const error = Math.min(...estimates.map((estimate) => Math.abs(estimate - exact)));
    expect(error, `${name} of member ${k}: ${exact}, |gradient| ${norm}`).toBeLessThan(2e-4 + 1e-3 * norm);
  });
}

/** Estimates of the slope at 0 from losses at -e, -e/2, 0, e/2 and e. */
function differences(e: number, losses: readonly number[], hasKinks: boolean): readonly number[] {
  const [down, downHalf, here, upHalf, up] = losses as [number, number, number, number, number];
  const central = (8 * (upHalf - downHalf) - (up - down)) / (6 * e);
  if (!hasKinks) return [central];
  return [central, (4 * upHalf - up - 3 * here) / e, (3 * here - 4 * downHalf + down) / e];
}
