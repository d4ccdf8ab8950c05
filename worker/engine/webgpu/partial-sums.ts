/**
 * Sums over all numbers of a chain, four at a time, in an order that the sizes of its parameters decide and nobody beside it: a
 * workgroup adds up a stretch of one parameter of one chain, and one workgroup a chain adds up the stretches.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { OwnProgram, OwnPrograms } from "./own-program.ts";

/** Numbers of a stretch. */
const STRETCH = 2048;
/** Invocations of a workgroup that adds up. */
export const SUM_LANES = 64;
const SUMS = 4;

/** `total(lane, mine)`: what all lanes together have, in every lane. */
export const TOTAL = /* wgsl */ `
var<workgroup> shares : array<vec4<f32>, ${SUM_LANES}>;
fn total(lane : u32, mine : vec4<f32>) -> vec4<f32> {
  shares[lane] = mine;
  for (var half = ${SUM_LANES / 2}u; half > 0u; half = half >> 1u) {
    workgroupBarrier();
    if (lane < half) { shares[lane] = shares[lane] + shares[lane + half]; }
  }
  workgroupBarrier();
  let all = shares[0];
  workgroupBarrier();
  return all;
}`;

/** Adds up a chain's stretches: after TOTAL, of an input `stretches` and a size `stretches`. */
export const SUM_OF_STRETCHES = /* wgsl */ `
fn sumOfStretches(chain : u32, lane : u32) -> vec4<f32> {
  var mine = vec4<f32>(0.0);
  for (var i = lane; i < sizes.stretches; i = i + ${SUM_LANES}u) {
    let at = (chain * sizes.stretches + i) * ${SUMS}u;
    mine = mine + vec4<f32>(stretches[at], stretches[at + 1u], stretches[at + 2u], stretches[at + 3u]);
  }
  return total(lane, mine);
}`;

/**
 * A program that adds up stretches of one parameter.
 * @param shared of the inputs, those that all parameters have in common
 * @param term WGSL with a function `term(chain : u32, i : u32, at : u32) -> vec4<f32>` of the chain's number i, `at` in the tensor
 */
export function stretchProgram(
  name: string,
  inputs: OwnProgram["inputs"],
  shared: readonly string[],
  term: string,
): OwnProgram {
  return {
    name,
    inputs,
    outputs: ["stretches"],
    shared: [...shared, "stretches"],
    sizes: ["size", "own", "before", "stretches"],
    lanes: SUM_LANES,
    code: /* wgsl */ `${TOTAL}
${term}
fn work(group : u32, lane : u32) {
  let chain = group / sizes.own;
  let stretch = group - chain * sizes.own;
  let end = min(sizes.size, (stretch + 1u) * ${STRETCH}u);
  var mine = vec4<f32>(0.0);
  for (var i = stretch * ${STRETCH}u + lane; i < end; i = i + ${SUM_LANES}u) {
    mine = mine + term(chain, i, chain * sizes.size + i);
  }
  let all = total(lane, mine);
  if (lane < ${SUMS}u) {
    stretches[(chain * sizes.stretches + sizes.before + stretch) * ${SUMS}u + lane] = all[lane];
  }
}`,
  };
}

export interface Stretches {
  readonly tensor: TensorInfo;
  /** Of a chain. */
  readonly count: number;
}

/**
 * All stretches of all parameters; release the tensor.
 * @param sizes of a chain's parameters
 */
export function sumStretches(
  programs: OwnPrograms,
  program: OwnProgram,
  chains: number,
  sizes: readonly number[],
  inputsOf: (p: number) => Readonly<Record<string, TensorInfo>>,
): Stretches {
  const own = sizes.map((size) => Math.ceil(size / STRETCH));
  const count = own.reduce((sum, stretches) => sum + stretches, 0);
  const tensor = programs.output([chains, count, SUMS]);
  let before = 0;
  const calls = sizes.map((size, p) => {
    const places = { size, own: own[p]!, before, stretches: count };
    before += own[p]!;
    return { inputs: inputsOf(p), outputs: [tensor], sizes: places, groups: chains * own[p]! };
  });
  programs.run(program, calls);
  return { tensor, count };
}
