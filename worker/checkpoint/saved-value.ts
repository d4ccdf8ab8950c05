/**
 * The state of a computation as a checkpoint holds it: any value of plain objects, arrays, numbers, texts and typed arrays, taken
 * apart into tensors, named after their place in it, and a skeleton of JSON. Numbers come back with the same bits, NaN and -0 too.
 */
import { OccamError } from "../../src/core/errors.ts";

export type Numbers = Float32Array | Float64Array | Int32Array;

/** Numbers of a tensor with its shape, row-major. */
export interface Stack {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Numbers;
}

export interface TakenApart {
  /** What JSON.stringify writes and JSON.parse reads. */
  readonly skeleton: unknown;
  readonly tensors: readonly NamedTensor[];
}

export const isNumbers = (value: unknown): value is Numbers =>
  value instanceof Float32Array || value instanceof Float64Array || value instanceof Int32Array;

export function takeApart(value: unknown): TakenApart {
  const tensors: NamedTensor[] = [];
  return { skeleton: skeletonOf(value, "", tensors), tensors };
}

/** What `takeApart` was given. @throws OccamError "protocol" where a tensor is missing */
export function putTogether(skeleton: unknown, tensors: ReadonlyMap<string, NamedTensor>): unknown {
  if (typeof skeleton !== "object" || skeleton === null) return skeleton;
  if (Array.isArray(skeleton)) return skeleton.map((each) => putTogether(each, tensors));
  const marked = skeleton as Readonly<Record<string, unknown>>;
  if (typeof marked["$number"] === "string") return Number(marked["$number"]);
  if (typeof marked["$array"] === "string") return tensorOf(marked["$array"], tensors).values;
  if (typeof marked["$stack"] === "string") {
    const { shape, values } = tensorOf(marked["$stack"], tensors);
    return { shape, values };
  }
  return Object.fromEntries(Object.entries(marked).map(([key, each]) => [key, putTogether(each, tensors)]));
}

function tensorOf(name: string, tensors: ReadonlyMap<string, NamedTensor>): NamedTensor {
  const found = tensors.get(name);
  if (found === undefined) throw new OccamError("protocol", `the tensor "${name}" is missing`);
  return found;
}

function skeletonOf(value: unknown, name: string, tensors: NamedTensor[]): unknown {
  if (typeof value === "number") return isPlain(value) ? value : { $number: numberText(value) };
  if (typeof value !== "object" || value === null) return value;
  if (isNumbers(value)) {
    tensors.push({ name, shape: [value.length], values: value });
    return { $array: name };
  }
  if (isStack(value)) {
    tensors.push({ name, shape: value.shape, values: value.values });
    return { $stack: name };
  }
  const inside = (key: string | number): string => (name === "" ? `${key}` : `${name}.${key}`);
  if (Array.isArray(value)) return value.map((each, i) => skeletonOf(each, inside(i), tensors));
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(entries.map(([key, each]) => [key, skeletonOf(each, inside(key), tensors)]));
}

/** JSON gives it back as it is. */
const isPlain = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0);

const numberText = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));

const isStack = (value: object): value is Stack =>
  "values" in value && "shape" in value && isNumbers(value.values) && Object.keys(value).length === 2;
