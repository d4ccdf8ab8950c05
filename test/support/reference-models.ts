/**
 * The architectures once more, in double precision and plain loops, for one row at a time: written from their equations and
 * sharing no code with the catalogue, so that a slip in one is not repeated in the other.
 */
import type { Config, Task } from "../../src/catalogue/entry.ts";

export type Weights = readonly Float32Array[];
type Vector = readonly number[];

/** Phi by its Taylor series, good to 1e-12 for |x| <= 6: (1/2) + density * (x + x^3/3 + x^5/15 + ...). */
function normalDistribution(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 200; k += 1) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}

function nonlinearity(name: unknown, x: number): number {
  if (name === "tanh") return Math.tanh(x);
  return name === "relu" ? Math.max(0, x) : x * normalDistribution(x);
}

/** x W + b, W of [x.length, out] by rows. */
function affine(x: Vector, weight: Float32Array, bias?: Float32Array): number[] {
  const out = weight.length / x.length;
  return Array.from({ length: out }, (_, o) =>
    x.reduce((sum, value, i) => sum + value * weight[i * out + o]!, bias?.[o] ?? 0),
  );
}

function oneHot(ids: Vector, vocabulary: number): number[] {
  return ids.flatMap((id) => Array.from({ length: vocabulary }, (_, value) => (value === id ? 1 : 0)));
}

function flat(task: Task, row: Vector): Vector {
  return task.input.kind === "tokens" ? oneHot(row, task.input.vocabulary) : row;
}

function mlp(config: Config, task: Task, weights: Weights, row: Vector): Vector {
  let a = flat(task, row);
  for (let layer = 0; layer < weights.length / 2; layer += 1) {
    const z = affine(a, weights[2 * layer]!, weights[2 * layer + 1]);
    const isOutput = layer === weights.length / 2 - 1;
    a = isOutput ? z : z.map((value) => nonlinearity(config["activation"], value));
  }
  return a.map((value) => value * Number(config["outputScale"]));
}

function deepLinear(config: Config, task: Task, weights: Weights, row: Vector): Vector {
  const product = weights.reduce<Vector>((a, weight) => affine(a, weight), flat(task, row));
  return product.map((value) => value * Number(config["outputScale"] ?? 1));
}

function normalCrossing(config: Config, _task: Task, [w]: Weights, [x]: Vector): Vector {
  const powers = String(config["powers"]).split(" ").map(Number);
  const factors = powers.map((power, i) => w![i]! ** power);
  const isSum = config["form"] === "sum";
  return (isSum ? factors : [factors.reduce((left, right) => left * right)]).map((factor) => x! * factor);
}

/** An image as a function of its pixel; 0 outside. */
interface Image {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly at: (h: number, w: number, c: number) => number;
}

function imageOf(height: number, width: number, channels: number, values: Vector): Image {
  const inside = (h: number, w: number): boolean => h >= 0 && h < height && w >= 0 && w < width;
  const at = (h: number, w: number, c: number): number => (inside(h, w) ? values[(h * width + w) * channels + c]! : 0);
  return { height, width, channels, at };
}

/** Values by (row, column, channel). */
function pixels(height: number, width: number, channels: number, value: Image["at"]): number[] {
  return Array.from({ length: height * width * channels }, (_, index) => {
    const pixel = Math.floor(index / channels);
    return value(Math.floor(pixel / width), pixel % width, index % channels);
  });
}

function cnn(config: Config, task: Task, weights: Weights, row: Vector): Vector {
  if (task.input.kind !== "image") throw new Error("not an image");
  const [kernel, pool] = [Number(config["kernel"]), Number(config["pool"])];
  const half = (kernel - 1) / 2;
  let image = imageOf(task.input.height, task.input.width, task.input.channels, row);
  for (let layer = 0; layer < Number(config["depth"]); layer += 1) {
    const [weight, bias] = [weights[2 * layer]!, weights[2 * layer + 1]!];
    const { height, width, channels } = image;
    const out = bias.length;
    const convolved = pixels(height, width, out, (h, w, o) => {
      let sum = bias[o]!;
      for (let i = 0; i < kernel; i += 1)
        for (let j = 0; j < kernel; j += 1)
          for (let c = 0; c < channels; c += 1)
            sum += image.at(h + i - half, w + j - half, c) * weight[((i * kernel + j) * channels + c) * out + o]!;
      return nonlinearity(config["activation"], sum);
    });
    const full = imageOf(height, width, out, convolved);
    const [pooledHeight, pooledWidth] = [Math.floor(height / pool), Math.floor(width / pool)];
    const pooled = pixels(pooledHeight, pooledWidth, out, (h, w, c) => {
      let sum = 0;
      for (let i = 0; i < pool; i += 1)
        for (let j = 0; j < pool; j += 1) sum += full.at(h * pool + i, w * pool + j, c) / (pool * pool);
      return sum;
    });
    image = imageOf(pooledHeight, pooledWidth, out, pooled);
  }
  // The dense layer reads channel by channel.
  const byPixel = pixels(image.height, image.width, image.channels, image.at);
  const last = byPixel.map((_, index) => {
    const plane = byPixel.length / image.channels;
    return byPixel[(index % plane) * image.channels + Math.floor(index / plane)]!;
  });
  const [weight, bias] = weights.slice(-2) as [Float32Array, Float32Array];
  return affine(last, weight, bias).map((value) => value * Number(config["outputScale"]));
}

function layerNorm(x: Vector, gain: Float32Array, bias: Float32Array): number[] {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * gain[i]! + bias[i]!);
}

const plus = (a: Vector, b: ArrayLike<number>): number[] => a.map((value, i) => value + b[i]!);

/** Attention of all heads at each position over itself and those before, before the output projection. */
function attention(heads: number, qkv: readonly Vector[]): number[][] {
  const width = qkv[0]!.length / 3;
  const size = width / heads;
  return qkv.map((row, position) =>
    Array.from({ length: width }, (_, column) => {
      const head = Math.floor(column / size);
      const scores = qkv.slice(0, position + 1).map((other) => {
        let dot = 0;
        for (let i = 0; i < size; i += 1) dot += row[head * size + i]! * other[width + head * size + i]!;
        return Math.exp(dot / Math.sqrt(size));
      });
      const total = scores.reduce((sum, score) => sum + score, 0);
      return scores.reduce((sum, score, other) => sum + (score / total) * qkv[other]![2 * width + column]!, 0);
    }),
  );
}

function transformer(config: Config, task: Task, weights: Weights, row: Vector): Vector {
  if (task.input.kind !== "tokens") throw new Error("not tokens");
  const { vocabulary } = task.input;
  const width = Number(config["width"]);
  const [embedding, positions] = [weights[0]!, weights[1]!];
  let h: number[][] = row.map((id, t) =>
    plus(affine(oneHot([id], vocabulary), embedding), positions.slice(t * width, (t + 1) * width)),
  );
  for (let layer = 0; layer < Number(config["depth"]); layer += 1) {
    const own = weights.slice(2 + 8 * layer, 10 + 8 * layer);
    const qkv = h.map((x) => affine(layerNorm(x, own[0]!, own[1]!), own[2]!));
    h = attention(Number(config["heads"]), qkv).map((mixed, t) => plus(h[t]!, affine(mixed, own[3]!)));
    h = h.map((x) => {
      const inner = affine(layerNorm(x, own[4]!, own[5]!), own[6]!);
      return plus(
        x,
        affine(
          inner.map((value) => nonlinearity(config["activation"], value)),
          own[7]!,
        ),
      );
    });
  }
  const [gain, bias, unembedding] = weights.slice(-3) as [Float32Array, Float32Array, Float32Array];
  const isEverywhere = task.output.kind === "classes" && task.output.positions > 1;
  return (isEverywhere ? h : h.slice(-1))
    .flatMap((x) => affine(layerNorm(x, gain, bias), unembedding))
    .map((value) => value * Number(config["outputScale"]));
}

/** Output of one PREPARED row; the polynomial's features have a test of their own. */
export const REFERENCE_MODELS: Readonly<
  Record<string, (config: Config, task: Task, weights: Weights, row: Vector) => Vector>
> = {
  mlp,
  "deep-linear": deepLinear,
  "reduced-rank": deepLinear,
  "normal-crossing": normalCrossing,
  polynomial: (_config, _task, weights, row) => affine(row, weights[0]!),
  cnn,
  transformer,
};
