import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Activation } from "../../../../src/catalogue/architecture/activation.ts";
import { convolve, type ConvolutionOptions } from "../../../../src/catalogue/architecture/convolution.ts";
import type { Tensor, Tensor3D, Tf } from "../../../../src/catalogue/entry.ts";
import { ownKernel } from "../../../../src/catalogue/own-kernel.ts";
import { normalDensity, normalDistribution } from "../../../support/normal-distribution.ts";
import { bitsOf, normals, sizeOf } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

type Kind = Activation | "none";
const KINDS: readonly Kind[] = ["none", "tanh", "relu", "gelu"];

interface Shape {
  readonly members: number;
  readonly rows: number;
  readonly channels: number;
  readonly outputs: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: number;
}

interface Layer {
  readonly image: Float32Array;
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly dy: Float32Array;
}

const PUT_OUT = ["y", "dWeight", "dBias", "dImage"] as const;
type Results = Readonly<Record<(typeof PUT_OUT)[number], Float32Array>>;

type Shape3 = [number, number, number];
function shapesOf(shape: Shape): Record<keyof Layer, Shape3> {
  const { members, rows, channels, outputs, height, width, kernel } = shape;
  const pixels = rows * height * width;
  return {
    image: [members, channels, pixels],
    weight: [members, kernel * kernel * channels, outputs],
    bias: [members, outputs, 1],
    dy: [members, outputs, pixels],
  };
}

function drawn(shape: Shape): Layer {
  const shapes = shapesOf(shape);
  const values = (name: keyof Layer, std: number): Float32Array => normals(name, sizeOf(shapes[name]), std);
  const fanIn = shape.kernel * shape.kernel * shape.channels;
  return {
    image: values("image", 1),
    weight: values("weight", 1 / Math.sqrt(fanIn)),
    bias: values("bias", 0.5),
    dy: values("dy", 1),
  };
}

/** phi, and phi'. */
const FUNCTIONS: Readonly<Record<Kind, readonly [(z: number) => number, (z: number) => number]>> = {
  none: [(z) => z, () => 1],
  tanh: [Math.tanh, (z) => 1 - Math.tanh(z) ** 2],
  relu: [(z) => Math.max(z, 0), (z) => (z > 0 ? 1 : 0)],
  gelu: [(z) => z * normalDistribution(z), (z) => normalDistribution(z) + z * normalDensity(z)],
};

/** A number in float64 with the size of what it was added up from, the scale of its rounding errors. */
class Sum {
  value = 0;
  scale = 0;
  add(term: number): void {
    this.value += term;
    this.scale += Math.abs(term);
  }
}

/** One layer by its definition: calls back with every product of a pixel, a weight and an output, by their indices. */
function eachProduct(shape: Shape, visit: (output: number, pixel: number, weight: number) => void): void {
  const { members, rows, channels, outputs, height, width, kernel } = shape;
  const half = (kernel - 1) / 2;
  for (let m = 0; m < members; m += 1)
    for (let o = 0; o < outputs; o += 1)
      for (let b = 0; b < rows; b += 1)
        for (let h = 0; h < height; h += 1)
          for (let w = 0; w < width; w += 1)
            for (let i = 0; i < kernel; i += 1)
              for (let j = 0; j < kernel; j += 1)
                for (let c = 0; c < channels; c += 1) {
                  const [y, x] = [h + i - half, w + j - half];
                  if (y < 0 || y >= height || x < 0 || x >= width) continue;
                  const pixel = (((m * channels + c) * rows + b) * height + y) * width + x;
                  const tap = (((m * kernel + i) * kernel + j) * channels + c) * outputs + o;
                  visit((((m * outputs + o) * rows + b) * height + h) * width + w, pixel, tap);
                }
}

function reference(kind: Kind, shape: Shape, { image, weight, bias, dy }: Layer) {
  const [phi, slope] = FUNCTIONS[kind];
  const sums = (count: number): Sum[] => Array.from({ length: count }, () => new Sum());
  const plane = shape.rows * shape.height * shape.width;
  const z = sums(dy.length);
  z.forEach((sum, i) => sum.add(bias[Math.floor(i / plane)]!));
  eachProduct(shape, (output, pixel, tap) => z[output]!.add(image[pixel]! * weight[tap]!));
  const dz = dy.map((value, i) => value * slope(z[i]!.value));
  const [dWeight, dBias, dImage] = [sums(weight.length), sums(bias.length), sums(image.length)];
  dz.forEach((value, i) => dBias[Math.floor(i / plane)]!.add(value));
  eachProduct(shape, (output, pixel, tap) => {
    dWeight[tap]!.add(dz[output]! * image[pixel]!);
    dImage[pixel]!.add(dz[output]! * weight[tap]!);
  });
  return { y: z.map(({ value, scale }) => ({ value: phi(value), scale })), dWeight, dBias, dImage };
}

describe.each(WASM_BUILDS)("a convolution in one kernel, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  function run(kind: Kind, shape: Shape, layer: Layer, readsData = false): Results {
    const shapes = shapesOf(shape);
    const options: ConvolutionOptions = { readsData, ...(kind === "none" ? {} : { activation: kind }) };
    const read = (tensor: Tensor | undefined): Float32Array =>
      tensor === undefined ? new Float32Array() : tensor.dataSync<"float32">();
    return tf.tidy(() => {
      const [image, weight, bias, dy] = (["image", "weight", "bias", "dy"] as const).map((name) =>
        tf.tensor3d(layer[name], shapes[name]),
      ) as [Tensor3D, Tensor3D, Tensor3D, Tensor3D];
      const apply = (weight: Tensor, bias: Tensor, from: Tensor = image): Tensor =>
        convolve(tf, from as Tensor3D, shape, shape.kernel, weight, bias, options);
      const leaves = readsData ? [weight, bias] : [weight, bias, image];
      const { value, grads } = tf.valueAndGrads(apply)(leaves, dy);
      return { y: read(value), dWeight: read(grads[0]), dBias: read(grads[1]), dImage: read(grads[2]) };
    });
  }

  /** A float32 sum of n terms errs by at most (n + 1) 2^-24 of their sizes; phi adds some units of its own, passed on by dz. */
  function expectClose(kind: Kind, shape: Shape): void {
    const layer = drawn(shape);
    const expected = reference(kind, shape, layer);
    const results = run(kind, shape, layer);
    const { rows, height, width, channels, outputs, kernel } = shape;
    const [area, pixels] = [kernel * kernel, rows * height * width];
    const inner = area * channels;
    const terms = { y: inner, dWeight: inner + pixels, dBias: inner + pixels, dImage: inner + area * outputs };
    for (const name of PUT_OUT) {
      expect(results[name]).toHaveLength(expected[name].length);
      // Of gradients, a term's own dz errs by what z did: a few units of 1 + |z|, and |z| is of order 1 here.
      const unit = (scale: number): number => (name === "y" ? scale : 4 * (scale + 1));
      const limit = (terms[name] + 24) * 2 ** -24;
      // Not "no error is above": a NaN has to fail.
      const wrong = expected[name].findIndex(
        ({ value, scale }, i) => !(Math.abs(results[name][i]! - value) <= limit * unit(scale)),
      );
      const found = `${results[name][wrong]} for ${expected[name][wrong]?.value}`;
      expect(wrong, `${kind} ${name} ${JSON.stringify(shape)}: ${found}`).toBe(-1);
    }
  }

  test("agrees with float64 for every width and number of outputs up to nine, forward and back", () => {
    for (let width = 1; width <= 9; width += 1)
      for (let outputs = 1; outputs <= 9; outputs += 1)
        expectClose("none", { members: 2, rows: 2, channels: 2, outputs, height: 3, width, kernel: 3 });
  });

  test.each(KINDS)("%s: agrees with float64 for every number of channels up to five, forward and back", (kind) => {
    for (let channels = 1; channels <= 5; channels += 1)
      expectClose(kind, { members: 2, rows: 3, channels, outputs: 5, height: 5, width: 6, kernel: 3 });
  });

  test("agrees with float64 where the kernel is one pixel, and where it is larger than the image", () => {
    for (const kernel of [1, 5, 9])
      for (const [height, width] of [
        [1, 1],
        [2, 3],
        [4, 4],
      ] as const)
        /* prettier-ignore */
        expectClose("tanh", { members: 2, rows: 2, channels: 3, outputs: 4, height, width, kernel });
  });

  test("agrees with float64 over random shapes", () => {
    const small = fc.integer({ min: 1, max: 6 });
    const side = fc.integer({ min: 1, max: 13 });
    const shapes = fc.record({
      members: fc.integer({ min: 1, max: 3 }),
      rows: small,
      channels: small,
      outputs: fc.integer({ min: 1, max: 11 }),
      height: side,
      width: side,
      kernel: fc.constantFrom(1, 3, 5),
    });
    fc.assert(fc.property(fc.constantFrom(...KINDS), shapes, expectClose), { numRuns: 30, seed: 1 });
  });

  test.each(KINDS)("%s: agrees with TensorFlow.js's own operations, forward and back", (kind) => {
    const shape = { members: 3, rows: 4, channels: 3, outputs: 6, height: 7, width: 10, kernel: 3 };
    const layer = drawn(shape);
    const [ours, plain] = [run(kind, shape, layer), withoutOwnKernels(tf, () => run(kind, shape, layer))];
    for (const name of PUT_OUT) {
      expect(ours[name]).toHaveLength(plain[name].length);
      ours[name].forEach((value, i) =>
        expect(Math.abs(value - plain[name][i]!)).toBeLessThanOrEqual(2e-5 * (1 + Math.abs(value))),
      );
    }
  });

  test.each(KINDS)(
    "%s: a member has the bits that it has alone, at any place, whatever the scratch was used for",
    (kind) => {
      for (const [channels, outputs, height, width] of [
        [1, 3, 5, 5],
        [5, 6, 4, 7],
        [2, 8, 3, 8],
      ] as const) /* prettier-ignore */ {
      const shape = { members: 5, rows: 3, channels, outputs, height, width, kernel: 3 };
      const layer = drawn(shape);
      const fused = run(kind, shape, layer);
      for (let m = 0; m < shape.members; m += 1) {
        const part = (values: Float32Array): Float32Array =>
          values.slice((m * values.length) / shape.members, ((m + 1) * values.length) / shape.members);
        const own = {
          image: part(layer.image),
          weight: part(layer.weight),
          bias: part(layer.bias),
          dy: part(layer.dy),
        };
        const nothing = own.image.map(() => Number.NaN);
        run(kind, { ...shape, members: 1 }, { ...own, image: nothing });
        const alone = run(kind, { ...shape, members: 1 }, own);
        for (const name of PUT_OUT) expect(bitsOf(alone[name]), name).toEqual(bitsOf(part(fused[name])));
      }
    }
    },
  );

  test("of data it takes no gradient, and the others keep their bits", () => {
    const shape = { members: 2, rows: 2, channels: 2, outputs: 5, height: 4, width: 6, kernel: 3 };
    const layer = drawn(shape);
    const [whole, ofData] = [run("tanh", shape, layer), run("tanh", shape, layer, true)];
    expect(ofData.dImage).toHaveLength(0);
    for (const name of ["y", "dWeight", "dBias"] as const) expect(bitsOf(ofData[name])).toEqual(bitsOf(whole[name]));
    tf.tidy(() => {
      const given = { image: tf.ones([1, 1, 4]), weight: tf.ones([1, 9, 2]), dy: tf.ones([1, 2, 4]) };
      const attrs = { rows: 1, height: 2, width: 2, kernel: 3, activation: "none", inputGradient: false };
      expect(ownKernel(tf, "OccamConvolutionGrad", given, attrs)).toHaveLength(2);
    });
  });

  test("one member's NaN and infinity stay its own, and an image's pixels reach their neighbours alone", () => {
    const shape = { members: 3, rows: 2, channels: 2, outputs: 5, height: 6, width: 9, kernel: 3 };
    const [sane, wild] = [drawn(shape), drawn(shape)];
    const [pixels, perMember] = [6 * 9, 2 * 2 * 6 * 9];
    wild.image[perMember] = Number.NaN;
    wild.image[2 * perMember] = Number.POSITIVE_INFINITY;
    const [expected, results] = [run("none", shape, sane), run("none", shape, wild)];
    for (const name of PUT_OUT) {
      const size = expected[name].length / shape.members;
      expect(bitsOf(results[name].slice(0, size)), name).toEqual(bitsOf(expected[name].slice(0, size)));
    }
    // The first pixel of the first image of the first channel: seen by the four outputs around it, of each plane.
    const size = results.y.length / shape.members;
    const reached = Array.from(results.y.slice(size, 2 * size), (y, i) => (Number.isNaN(y) ? i : -1)).filter(
      (i) => i >= 0,
    );
    const around = Array.from({ length: shape.outputs }, (_, o) => [0, 1, 9, 10].map((i) => o * 2 * pixels + i)).flat();
    expect(reached).toEqual(around);
    const infinite = results.y.slice(2 * size).filter((y) => !Number.isFinite(y));
    expect(infinite).toHaveLength(around.length);
  });

  test("denormal, tiny and huge numbers come through, and overflow is infinite", () => {
    const shape = { members: 1, rows: 1, channels: 1, outputs: 1, height: 1, width: 6, kernel: 1 };
    const image = Float32Array.from([1e-45, -1e-40, 1e-38, 1e38, -3e38, 0]);
    const layer = { image, weight: Float32Array.of(1), bias: Float32Array.of(0), dy: image };
    expect([...run("none", shape, layer).y]).toEqual([...image]);
    const doubled = run("none", shape, { ...layer, weight: Float32Array.of(4) });
    expect(doubled.y).toEqual(image.map((value) => value * 4));
    expect(doubled.y[4]).toBe(Number.NEGATIVE_INFINITY);
  });

  test("no members and no rows are as good as any", () => {
    const shape = { members: 2, rows: 0, channels: 2, outputs: 3, height: 4, width: 5, kernel: 3 };
    const none = run("relu", shape, drawn(shape));
    expect(none.y).toHaveLength(0);
    expect([...none.dWeight, ...none.dBias]).toEqual(Array.from({ length: 2 * 18 * 3 + 6 }, () => 0));
    const nobody = { ...shape, members: 0, rows: 2 };
    for (const name of PUT_OUT) expect(run("relu", nobody, drawn(nobody))[name]).toHaveLength(0);
  });
});
