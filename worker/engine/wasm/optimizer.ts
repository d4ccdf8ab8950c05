/**
 * One update of contiguous members of a fused program, all parameters at once: "OccamUpdate-" and the kind of the optimizer.
 *
 * Inputs, for each parameter p: `weight<p>` and `gradient<p>`, [K, ...shape], and `slot<p>.<i>`, [members, ...shape]; each
 * hyperparameter by its name, [members]; `penalties`, [K, 3]. Attributes: `parameters` and `slots`, how many there are;
 * `from`, the first of the members; `step`, 1 at the first update; `factor` of every learning rate.
 * Outputs, for each parameter: the weight and the slots of the members, [members, ...shape].
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmHeap } from "./heap.ts";
import type { KernelCall, OwnKernel } from "./register.ts";

type Update = (...operands: number[]) => void;
/** assembly/optimizer.ts */
type Exports = Readonly<Record<"updateSgd" | "updateMomentum" | "updateRmsprop" | "updateAdam" | "updateLion", Update>>;

/** What a rule hands to its function, in order: addresses, but for sizes and numbers that are named so. */
interface Operands {
  /** Weight, gradient, slots; new weight, new slots; members, size of one member. */
  readonly stacked: readonly number[];
  /** Address of a hyperparameter. */
  readonly h: (name: string) => number;
  readonly step: number;
  /** Penalties, factor. */
  readonly last: readonly number[];
}

const RULES: Readonly<Record<string, (kernels: Exports, operands: Operands) => void>> = {
  sgd: (kernels, { stacked, h, last }) => kernels.updateSgd(...stacked, h("learningRate"), ...last),
  momentum: (kernels, { stacked, h, last }) =>
    kernels.updateMomentum(...stacked, h("learningRate"), h("momentum"), 0, ...last),
  nesterov: (kernels, { stacked, h, last }) =>
    kernels.updateMomentum(...stacked, h("learningRate"), h("momentum"), 1, ...last),
  rmsprop: (kernels, { stacked, h, last }) =>
    kernels.updateRmsprop(...stacked, h("learningRate"), h("decay"), h("epsilon"), ...last),
  adam: (kernels, { stacked, h, step, last }) =>
    kernels.updateAdam(...stacked, h("learningRate"), h("beta1"), h("beta2"), h("epsilon"), 0, step, ...last),
  adamw: (kernels, { stacked, h, step, last }) =>
    kernels.updateAdam(...stacked, h("learningRate"), h("beta1"), h("beta2"), h("epsilon"), h("weightDecay"), step, ...last), // prettier-ignore
  lion: (kernels, { stacked, h, last }) =>
    kernels.updateLion(...stacked, h("learningRate"), h("beta1"), h("beta2"), h("weightDecay"), ...last),
};

const BYTES = 4;
/** Bytes of `penalties` for one member. */
const PENALTIES_BYTES = 3 * BYTES;

export const optimizerKernels: Readonly<Record<string, OwnKernel>> = Object.fromEntries(
  Object.keys(RULES).map((kind) => [`OccamUpdate-${kind}`, (heap, call) => update(heap, call, kind)]),
);

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
  const last = [heap.at(input("penalties")) + from! * PENALTIES_BYTES, factor!];
  return Array.from({ length: parameters! }, (_, p) => {
    const [weight, gradient] = [input(`weight${p}`), input(`gradient${p}`)];
    const before = Array.from({ length: slots! }, (_, i) => input(`slot${p}.${i}`));
    const shape = weight.shape.slice(1);
    const after = [weight, ...before].map(() => heap.output([members, ...shape]));
    const size = shape.reduce((product, length) => product * length, 1);
    const offset = from! * size * BYTES;
    const read = [heap.at(weight) + offset, heap.at(gradient) + offset, ...before.map((slot) => heap.at(slot))];
    const stacked = [...read, ...after.map((tensor) => heap.at(tensor)), members, size];
    RULES[kind]!(kernels, { stacked, h, step: step!, last });
    return after;
  }).flat();
}
