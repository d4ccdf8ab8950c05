/**
 * `OccamLangevin`: one step of localised Langevin dynamics of all chains, noise drawn within (worker/sample/langevin.ts calls
 * it), and `OccamReading`: what is read of them at their positions (worker/sample/reading.ts).
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmHeap } from "./heap.ts";
import { Operands } from "./operands.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/langevin.ts and assembly/reading.ts; an address 0 means that there is no such tensor. */
interface LangevinExports {
  langevinScratchBytes(size: number): number;
  langevinStep(
    position: number,
    gradient: number,
    anchor: number,
    corrections: number,
    rows: number,
    root: number,
    keys: number,
    t: number,
    gamma: number,
    epsilon: number,
    before: number,
    fresh: number,
    out: number,
    chains: number,
    size: number,
    step: number,
    index: number,
    scratch: number,
  ): void;
  readParameter(
    position: number,
    anchor: number,
    corrections: number,
    rows: number,
    squares: number,
    along: number,
    chains: number,
    size: number,
  ): void;
  readLosses(
    losses: number,
    base: number,
    rows: number,
    along: number,
    out: number,
    chains: number,
    count: number,
    halves: number,
  ): void;
  zeros(out: number, count: number): void;
}

const exportsOf = (heap: WasmHeap): LangevinExports => heap.kernels.exports as unknown as LangevinExports;
const BYTES_PER_NUMBER = 4;

/** New positions, then, where the call has normals of the step before, those of this step: by parameter. */
const langevin: OwnKernel = (heap, call) => {
  const given = new Operands(heap, call);
  const kernels = exportsOf(heap);
  const every = Array.from({ length: given.parameters }, (_, p) => p);
  const like = (p: number): TensorInfo => heap.output(given.shape(`position${p}`));
  const moved = every.map(like);
  const fresh = given.at("before0") === 0 ? [] : every.map(like);
  const scratch = heap.scratch(kernels.langevinScratchBytes(Math.max(...every.map((p) => given.size(p)))));
  for (const p of every) {
    kernels.langevinStep(
      given.at(`position${p}`),
      given.at(`gradient${p}`),
      given.at(`anchor${p}`),
      given.at(`corrections${p}`),
      given.at("rows"),
      given.at(`root${p}`),
      given.at("keys"),
      given.at("t"),
      given.at("gamma"),
      given.at("epsilon"),
      given.at(`before${p}`),
      fresh.length === 0 ? 0 : heap.at(fresh[p]!),
      heap.at(moved[p]!),
      given.chains,
      given.size(p),
      call.attrs["step"] as number,
      p,
      scratch,
    );
  }
  return [...moved, ...fresh];
};

/** Corrected paired differences of the halves, [chains, 2], and |w - w0|^2, [chains]. */
const reading: OwnKernel = (heap, call) => {
  const given = new Operands(heap, call);
  const kernels = exportsOf(heap);
  const { chains } = given;
  const [differences, squares] = [heap.output([chains, 2]), heap.output([chains])];
  const along = heap.scratch(2 * chains * BYTES_PER_NUMBER);
  const rows = given.at("rows");
  kernels.zeros(along, 2 * chains);
  kernels.zeros(heap.at(squares), chains);
  for (let p = 0; p < given.parameters; p += 1) {
    const [position, anchor, corrections] = [`position${p}`, `anchor${p}`, `corrections${p}`].map((name) => given.at(name)); // prettier-ignore
    kernels.readParameter(position!, anchor!, corrections!, rows, heap.at(squares), along, chains, given.size(p));
  }
  const halves = given.at("corrections0") === 0 ? 1 : 2;
  const [losses, base, count] = [given.at("losses"), given.at("base"), given.shape("losses")[1]!];
  kernels.readLosses(losses, base, rows, along, heap.at(differences), chains, count, halves);
  return [differences, squares];
};

export const langevinKernels: Readonly<Record<string, OwnKernel>> = { OccamLangevin: langevin, OccamReading: reading };
