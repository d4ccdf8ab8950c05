/**
 * A nonlinearity alone and its gradient, `OccamActivation` and `OccamActivationGrad`, as in ../wasm/activation.ts: what the
 * gradient needs is kept, the output itself of tanh and relu, the slope of gelu.
 */
import { invariant } from "../../../src/core/errors.ts";
import { sizeOf } from "../shape.ts";
import { forEach, LANES, type OwnProgram } from "./own-program.ts";
import type { OwnKernel } from "./register.ts";

/** By its bits: NVIDIA's compiler takes `select(z, 0.0, z < 0.0)` for a maximum, which makes 0 of NaN (seen on an H100). */
const IS_NEGATIVE = /* wgsl */ `
fn isNegative(z : f32) -> bool {
  let bits = bitcast<u32>(z);
  return bits > 0x80000000u && bits <= 0xff800000u;
}`;

/**
 * What a NaN makes is NaN: where a comparison takes a branch, both give it on.
 *
 * tanh: below 0.6 the continued fraction x/(1 + x^2/(3 + x^2/(5 + ...))) cut after 9, off by less than 4e-10 of it; 1 - e^-2x
 * would lose its digits there.
 * gelu: Phi(-|z|) by Abramowitz & Stegun 7.1.26, as TensorFlow.js's erf, off by less than 1e-7; from |z| = 13.2 on it is 0.
 */
const VALUE = {
  none: "fn phi(z : f32) -> f32 { return z; }",
  relu: /* wgsl */ `${IS_NEGATIVE}
fn phi(z : f32) -> f32 { return select(z, 0.0, isNegative(z)); }`,
  tanh: /* wgsl */ `
fn phi(z : f32) -> f32 {
  let q = z * z;
  if (abs(z) < 0.6) { return z * (945.0 + q * (105.0 + q)) / (945.0 + q * (420.0 + 15.0 * q)); }
  let e = exp(-2.0 * abs(z));
  let size = (1.0 - e) / (1.0 + e);
  return select(size, -size, z < 0.0);
}`,
  gelu: /* wgsl */ `${IS_NEGATIVE}
fn tailOf(size : f32) -> f32 {
  let x = size * 0.70710678;
  let u = 1.0 / (1.0 + 0.3275911 * x);
  let series = u * (0.254829592 + u * (-0.284496736 + u * (1.421413741 + u * (-1.453152027 + u * 1.061405429))));
  return 0.5 * series * exp(-x * x);
}
fn phi(z : f32) -> f32 {
  let size = min(abs(z), 13.2);
  return select(z, 0.0, isNegative(z)) - size * tailOf(size);
}
fn slopeOf(z : f32) -> f32 {
  let size = min(abs(z), 13.2);
  let tail = tailOf(size);
  let rise = size * exp(-0.5 * size * size) * 0.3989422804;
  return select(1.0 - tail + rise, tail - rise, z < 0.0);
}`,
} as const;

/** `back(dy, kept)` is dy phi'. */
export const BACK = {
  none: "fn back(dy : f32, kept : f32) -> f32 { return dy; }",
  relu: "fn back(dy : f32, kept : f32) -> f32 { return select(dy, 0.0, kept <= 0.0); }",
  tanh: "fn back(dy : f32, kept : f32) -> f32 { return dy * ((1.0 - kept) * (1.0 + kept)); }",
  gelu: "fn back(dy : f32, kept : f32) -> f32 { return dy * kept; }",
} as const;

export type ActivationKind = keyof typeof VALUE;

export function activationKind(name: unknown): ActivationKind {
  invariant(typeof name === "string" && name in VALUE, `"${String(name)}" is no activation`);
  return name as ActivationKind;
}

/** `code` has a function `element(i : u32)`. */
const each = (name: string, inputs: readonly string[], outputs: readonly string[], code: string): OwnProgram => ({
  name,
  inputs: Object.fromEntries(inputs.map((input) => [input, "f32"])),
  outputs,
  sizes: ["count"],
  lanes: LANES,
  code: /* wgsl */ `${code}
fn work(group : u32, lane : u32) {
  let i = group * ${LANES}u + lane;
  if (i < sizes.count) { element(i); }
}`,
});

const forward = (kind: ActivationKind): OwnProgram => {
  const isGelu = kind === "gelu";
  const code = `${VALUE[kind]}
fn element(i : u32) { y[i] = phi(z[i]); ${isGelu ? "slope[i] = slopeOf(z[i]);" : ""} }`;
  return each(`activation-${kind}`, ["z"], isGelu ? ["y", "slope"] : ["y"], code);
};

const backward = (kind: ActivationKind): OwnProgram => {
  const code = `${BACK[kind]}
fn element(i : u32) { dz[i] = back(dy[i], kept[i]); }`;
  return each(`activation-grad-${kind}`, ["dy", "kept"], ["dz"], code);
};

export const activation: OwnKernel = {
  bindings: 3,
  run: (programs, { inputs, attrs }) => {
    const z = inputs["x"]!;
    const program = forward(activationKind(attrs["activation"]));
    const outputs = program.outputs.map(() => programs.output(z.shape));
    programs.run(program, [forEach(sizeOf(z.shape), { inputs: { z }, outputs, sizes: {} })]);
    return outputs;
  },
};

const activationGrad: OwnKernel = {
  bindings: 3,
  run: (programs, { inputs, attrs }) => {
    const [dy, kept] = [inputs["dy"]!, inputs["kept"]!];
    const dz = programs.output(dy.shape);
    const program = backward(activationKind(attrs["activation"]));
    programs.run(program, [forEach(sizeOf(dy.shape), { inputs: { dy, kept }, outputs: [dz], sizes: {} })]);
    return dz;
  },
};

const relu: OwnKernel = {
  bindings: 3,
  run: (programs, { inputs }) => {
    const [y] = [activation.run(programs, { inputs, attrs: { activation: "relu" } })].flat();
    return y!;
  },
};

export const activationKernels: Readonly<Record<string, OwnKernel>> = {
  OccamActivation: activation,
  OccamActivationGrad: activationGrad,
  // TensorFlow.js's own makes 0 of NaN, too.
  Relu: relu,
};
