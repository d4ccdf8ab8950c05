/** What every architecture of the registry must do, on every small task that it supports. */
import { beforeAll, describe, expect, test } from "vitest";
import { ARCHITECTURES } from "../../src/catalogue/registry.ts";
import { outputWidth, type Tensor3D, type Tf } from "../../src/catalogue/entry.ts";
import { ModelUnderTest, ROWS } from "../support/model-under-test.ts";
import { bitsOf, sizeOf, unstack } from "../support/stacked.ts";
import { expectSame, openTestBackend, THE_SAME } from "../support/test-backend.ts";
import { architectureCases, modelOf, type ArchitectureCase } from "../support/architecture-cases.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

const cases = architectureCases();
const open = (each: ArchitectureCase): ModelUnderTest => modelOf(tf, each);

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
