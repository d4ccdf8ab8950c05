/**
 * A nonlinearity alone and its gradient: `OccamActivation` and `OccamActivationGrad`
 * (src/catalogue/architecture/activation.ts asks for them).
 */
import { sizeOf } from "../shape.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/activation.ts */
interface ActivationExports {
  activate(kind: number, z: number, y: number, slope: number, count: number): void;
  activateGradient(kind: number, dy: number, kept: number, dz: number, count: number): void;
}

const KINDS: readonly unknown[] = ["none", "tanh", "relu", "gelu"];

/** The kernels' number for a name. */
export function activationKind(name: unknown): number {
  const kind = KINDS.indexOf(name);
  if (kind < 0) throw new Error(`activation: "${String(name)}" is none of ${KINDS.join(", ")}`);
  return kind;
}

/** gelu's gradient reads its slope, that of the others the output: only gelu puts out both. */
export const keepsSlope = (kind: number): boolean => kind === KINDS.indexOf("gelu");

const exportsOf = (heap: WasmHeap): ActivationExports => heap.kernels.exports as unknown as ActivationExports;

const activation: OwnKernel = (heap, { inputs, attrs }) => {
  const x = inputs["x"]!;
  const kind = activationKind(attrs["activation"]);
  const y = heap.output(x.shape);
  const slope = keepsSlope(kind) ? heap.output(x.shape) : undefined;
  const atSlope = slope === undefined ? 0 : heap.at(slope);
  exportsOf(heap).activate(kind, heap.at(x), heap.at(y), atSlope, sizeOf(x.shape));
  return slope === undefined ? y : [y, slope];
};

const activationGrad: OwnKernel = (heap, { inputs, attrs }) => {
  const [dy, kept] = [inputs["dy"]!, inputs["kept"]!];
  const dz = heap.output(dy.shape);
  const kind = activationKind(attrs["activation"]);
  exportsOf(heap).activateGradient(kind, heap.at(dy), heap.at(kept), heap.at(dz), sizeOf(dy.shape));
  return dz;
};

export const activationKernels: Readonly<Record<string, OwnKernel>> = {
  OccamActivation: activation,
  OccamActivationGrad: activationGrad,
};
