/**
 * One update of contiguous members of a fused program, all parameters at once: "OccamUpdate-" and the kind of the optimizer.
 *
 * Inputs, for each parameter p: `weight<p>` and `gradient<p>`, [K, ...shape], and `slot<p>.<i>`, [members, ...shape]; each
 * hyperparameter by its name, [members]. Attributes: `parameters` and `slots`, how many there are; `from`, the first of the
 * members; `step`, 1 at the first update; `factor` of every learning rate.
 * Outputs, for each parameter: the weight and the slots of the members, [members, ...shape].
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { sizeOf } from "../shape.ts";
import type { WasmHeap } from "./heap.ts";
import type { KernelCall, OwnKernel } from "./register.ts";

type Rule = "updateSgd" | "updateMomentum" | "updateRmsprop" | "updateAdam" | "updateLion";
/** assembly/optimizer.ts and assembly/adam.ts */
type Exports = Readonly<Record<Rule | "mapSign", (...operands: number[]) => void>>;

/** What a rule hands to its function, in order: addresses, but for sizes and numbers that are named so. */
interface Operands {
  /** Weight, gradient, slots; new weight, new slots; members, size of one member. */
  readonly stacked: readonly number[];
  /** Address of a hyperparameter. */
  readonly h: (name: string) => number;
  readonly step: number;
  readonly factor: number;
}

const RULES: Readonly<Record<string, (kernels: Exports, operands: Operands) => void>> = {
  sgd: (kernels, { stacked, h, factor }) => kernels.updateSgd(...stacked, h("learningRate"), factor),
  momentum: (kernels, { stacked, h, factor }) =>
    kernels.updateMomentum(...stacked, h("learningRate"), h("momentum"), 0, factor),
  nesterov: (kernels, { stacked, h, factor }) =>
    kernels.updateMomentum(...stacked, h("learningRate"), h("momentum"), 1, factor),
  rmsprop: (kernels, { stacked, h, factor }) =>
    kernels.updateRmsprop(...stacked, h("learningRate"), h("decay"), h("epsilon"), factor),
  adam: (kernels, { stacked, h, step, factor }) =>
    kernels.updateAdam(...stacked, h("learningRate"), h("beta1"), h("beta2"), h("epsilon"), 0, step, factor),
  adamw: (kernels, { stacked, h, step, factor }) =>
    kernels.updateAdam(...stacked, h("learningRate"), h("beta1"), h("beta2"), h("epsilon"), h("weightDecay"), step, factor), // prettier-ignore
  lion: (kernels, { stacked, h, factor }) =>
    kernels.updateLion(...stacked, h("learningRate"), h("beta1"), h("beta2"), h("weightDecay"), factor),
};

const BYTES = 4;

/** Of float32. TensorFlow.js's own on wasm takes all numbers below 1.2e-7 for 0: Lion would not see a small gradient. */
const sign: OwnKernel = (heap, { inputs }, shipped) => {
  const x = inputs["x"]!;
  if (x.dtype !== "float32") return shipped();
  const out = heap.output(x.shape);
  (heap.kernels.exports as unknown as Exports).mapSign(heap.at(x), heap.at(out), sizeOf(x.shape));
  return out;
};

export const optimizerKernels: Readonly<Record<string, OwnKernel>> = {
  Sign: sign,
  ...Object.fromEntries(
    Object.keys(RULES).map((kind): [string, OwnKernel] => [
      `OccamUpdate-${kind}`,
      (heap, call) => update(heap, call, kind),
    ]),
  ),
};

function update(heap: WasmHeap, { inputs, attrs }: KernelCall, kind: string): TensorInfo[] {
  const kernels = heap.kernels.exports as unknown as Exports;
  const input = (name: string): TensorInfo => {
    const tensor = inputs[name];
    if (tensor === undefined) throw new Error(`OccamUpdate-${kind}: no input ${name}`);
    return tensor;
  };
  const { parameters, slots, from, step, factor } = attrs as Readonly<Record<string, number>>;
  const members = input("learningRate").shape[0]!;
  const h = (name: string): number => heap.at(input(name));
  return Array.from({ length: parameters! }, (_, p) => {
    const [weight, gradient] = [input(`weight${p}`), input(`gradient${p}`)];
    const before = Array.from({ length: slots! }, (_, i) => input(`slot${p}.${i}`));
    const shape = weight.shape.slice(1);
    const after = [weight, ...before].map(() => heap.output([members, ...shape]));
    const size = sizeOf(shape);
    const offset = from! * size * BYTES;
    const read = [heap.at(weight) + offset, heap.at(gradient) + offset, ...before.map((slot) => heap.at(slot))];
    const stacked = [...read, ...after.map((tensor) => heap.at(tensor)), members, size];
    RULES[kind]!(kernels, { stacked, h, step: step!, factor: factor! });
    return after;
  }).flat();
}
