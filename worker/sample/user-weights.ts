/** Reads the weights of a request: tensors of the engine, or arrays with shapes. Every mistake is reported. */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import { sizeOf } from "../engine/shape.ts";
import { isOfEngine } from "./user-losses.ts";
import type { UserModel } from "./user-surface.ts";

/** A weight as numbers, row-major. */
export interface WeightArray {
  readonly values: Float32Array | Float64Array | readonly number[];
  /** [] for one number. */
  readonly shape: readonly number[];
}

/** TensorFlow.js has six axes at the most, and chains stand side by side along one. */
const MOST_AXES = 5;

type Read = Pick<UserModel, "shapes" | "trained">;

/** @returns copies; undefined where something is wrong, which `problems` then has, a sentence each */
export function readWeights(tf: Tf, given: unknown, problems: string[]): Read | undefined {
  if (!Array.isArray(given) || given.length === 0) {
    problems.push("weights is no list of tensors, or an empty one: [tensor, { values, shape }, ...]");
    return undefined;
  }
  const before = problems.length;
  const read = given.map((weight: unknown, p) => readWeight(tf, weight, `weights[${p}]`, problems));
  if (problems.length > before) return undefined;
  return { shapes: read.map(({ shape }) => shape), trained: read.map(({ values }) => values) };
}

interface OneWeight {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

const NOTHING: OneWeight = { shape: [], values: new Float32Array(0) };

function readWeight(tf: Tf, weight: unknown, name: string, problems: string[]): OneWeight {
  const given = weight instanceof tf.Tensor ? ofTensor(tf, weight) : ofArray(weight);
  if (typeof given === "string") {
    problems.push(`${name} ${given}`);
    return NOTHING;
  }
  const { shape, values } = given;
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (shape.length > MOST_AXES) problems.push(`${name} has ${shape.length} axes: reshape it to ${MOST_AXES} or fewer`);
  else if (values.length === 0) problems.push(`${name} is empty: leave it out`);
  else if (wrong >= 0) problems.push(`${name} is ${values[wrong]} at place ${wrong}: weights are finite`);
  return given;
}

/** @returns what is wrong as a text */
function ofTensor(tf: Tf, tensor: Tensor): OneWeight | string {
  if (tensor.isDisposed) return "is disposed: keep it until the estimate is made (tf.keep, or outside of tf.tidy)";
  if (!isOfEngine(tf, tensor)) return "is a tensor of another copy of TensorFlow.js: make it with engine.tf";
  if (tensor.dtype !== "float32") return `is ${tensor.dtype}: tf.cast(weight, "float32")`;
  return { shape: [...tensor.shape], values: Float32Array.from(tensor.dataSync<"float32">()) };
}

function ofArray(weight: unknown): OneWeight | string {
  const { values, shape } = (weight ?? {}) as Partial<WeightArray>;
  if (!isNumbers(values) || !Array.isArray(shape)) return "is neither a tensor nor { values, shape }";
  const sizes: readonly unknown[] = shape;
  if (!sizes.every((size) => Number.isInteger(size) && Number(size) > 0)) {
    return `has the shape [${sizes.join(", ")}]: its lengths are integers above 0`;
  }
  const size = sizeOf(shape as readonly number[]);
  if (size !== values.length) return `has ${values.length} values, and its shape [${sizes.join(", ")}] has ${size}`;
  return { shape: shape as readonly number[], values: Float32Array.from(values) };
}

function isNumbers(values: unknown): values is WeightArray["values"] {
  if (values instanceof Float32Array || values instanceof Float64Array) return true;
  return Array.isArray(values) && values.every((value) => typeof value === "number");
}
