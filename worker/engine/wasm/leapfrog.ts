/** `OccamLeapfrog`, a kick and a drift of all chains, and `OccamPhase`, what is measured of them (worker/sample/leapfrog.ts). */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { Operands } from "./operands.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/leapfrog.ts */
interface LeapfrogExports {
  leapfrog(
    position: number,
    momentum: number,
    gradient: number,
    anchor: number,
    t: number,
    gamma: number,
    kick: number,
    drift: number,
    outPosition: number,
    outMomentum: number,
    chains: number,
    size: number,
  ): void;
  phaseSums(
    position: number,
    momentum: number,
    gradient: number,
    anchor: number,
    startPosition: number,
    startMomentum: number,
    t: number,
    gamma: number,
    kick: number,
    out: number,
    chains: number,
    size: number,
  ): void;
  zeros(out: number, count: number): void;
}

/** Numbers that `phaseSums` gives of a chain. */
const SUMS = 4;

const exportsOf = (heap: WasmHeap): LeapfrogExports => heap.kernels.exports as unknown as LeapfrogExports;

/** New positions, then new momenta, by parameter. */
const leapfrog: OwnKernel = (heap, call) => {
  const given = new Operands(heap, call);
  const every = Array.from({ length: given.parameters }, (_, p) => p);
  const like = (p: number): TensorInfo => heap.output(given.shape(`position${p}`));
  const [positions, momenta] = [every.map(like), every.map(like)];
  for (const p of every) {
    exportsOf(heap).leapfrog(
      given.at(`position${p}`),
      given.at(`momentum${p}`),
      given.at(`gradient${p}`),
      given.at(`anchor${p}`),
      given.at("t"),
      given.at("gamma"),
      given.at("kick"),
      given.at("drift"),
      heap.at(positions[p]!),
      heap.at(momenta[p]!),
      given.chains,
      given.size(p),
    );
  }
  return [...positions, ...momenta];
};

/** [chains, 4] */
const phase: OwnKernel = (heap, call) => {
  const given = new Operands(heap, call);
  const kernels = exportsOf(heap);
  const sums = heap.output([given.chains, SUMS]);
  kernels.zeros(heap.at(sums), given.chains * SUMS);
  for (let p = 0; p < given.parameters; p += 1) {
    kernels.phaseSums(
      given.at(`position${p}`),
      given.at(`momentum${p}`),
      given.at(`gradient${p}`),
      given.at(`anchor${p}`),
      given.at(`startPosition${p}`),
      given.at(`startMomentum${p}`),
      given.at("t"),
      given.at("gamma"),
      given.at("kick"),
      heap.at(sums),
      given.chains,
      given.size(p),
    );
  }
  return sums;
};

export const leapfrogKernels: Readonly<Record<string, OwnKernel>> = { OccamLeapfrog: leapfrog, OccamPhase: phase };
