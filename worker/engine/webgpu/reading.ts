/** `OccamReading`, as in ../wasm/langevin.ts: what is read of all chains at their positions (worker/sample/reading.ts). */
import type { OwnProgram } from "./own-program.ts";
import { Operands } from "./operands.ts";
import { stretchProgram, SUM_LANES, SUM_OF_STRETCHES, sumStretches, TOTAL } from "./partial-sums.ts";
import type { OwnKernel } from "./register.ts";

/** |w - w0|^2 alone. */
const SQUARES = stretchProgram(
  "reading-squares",
  { position: "f32", anchor: "f32" },
  [],
  /* wgsl */ `
fn term(chain : u32, i : u32, at : u32) -> vec4<f32> {
  let delta = position[at] - anchor[at];
  return vec4<f32>(delta * delta, 0.0, 0.0, 0.0);
}`,
);

/** |w - w0|^2, D . (w - w0) and E . (w - w0). */
const ALONG = stretchProgram(
  "reading-along",
  { position: "f32", anchor: "f32", corrections: "f32", rows: "i32" },
  ["rows"],
  /* wgsl */ `
fn term(chain : u32, i : u32, at : u32) -> vec4<f32> {
  let delta = position[at] - anchor[at];
  let d = u32(rows[chain]) * 2u * sizes.size + i;
  return vec4<f32>(delta * delta, delta * corrections[d], delta * corrections[d + sizes.size], 0.0);
}`,
);

/** Of a chain: means of the halves' paired differences less what the corrections say, and the square. */
const LOSSES: OwnProgram = {
  name: "reading-losses",
  inputs: { stretches: "f32", losses: "f32", base: "f32", rows: "i32" },
  outputs: ["differences", "squares"],
  sizes: ["stretches", "losses", "part"],
  lanes: SUM_LANES,
  code: /* wgsl */ `${TOTAL}${SUM_OF_STRETCHES}
fn work(chain : u32, lane : u32) {
  let all = sumOfStretches(chain, lane);
  let one = chain * sizes.losses;
  let other = u32(rows[chain]) * sizes.losses;
  let second = sizes.losses - sizes.part;
  var mine = vec4<f32>(0.0);
  for (var i = lane; i < sizes.part; i = i + ${SUM_LANES}u) {
    mine.x = mine.x + (losses[one + i] - base[other + i]);
    mine.y = mine.y + (losses[one + second + i] - base[other + second + i]);
  }
  let means = total(lane, mine) / f32(sizes.part);
  if (lane == 0u) {
    differences[2u * chain] = means.x - (all.y + all.z);
    differences[2u * chain + 1u] = means.y - (all.y - all.z);
    squares[chain] = all.x;
  }
}`,
};

/** Corrected paired differences of the halves, [chains, 2], and |w - w0|^2, [chains]. */
const reading: OwnKernel = {
  bindings: 6,
  run: (programs, call) => {
    const given = new Operands(programs, call);
    const { chains, sizes } = given;
    const corrects = given.has("corrections0");
    const [losses, base, rows] = [given.at("losses"), given.at("base"), given.at("rows")];
    const inputsOf = (p: number) =>
      corrects ? { rows, ...given.of(p, ["position", "anchor", "corrections"]) } : given.of(p, ["position", "anchor"]);
    const stretches = sumStretches(programs, corrects ? ALONG : SQUARES, chains, sizes, inputsOf);
    const [differences, squares] = [programs.output([chains, 2]), programs.output([chains])];
    const count = losses.shape[1]!;
    const one = {
      inputs: { stretches: stretches.tensor, losses, base, rows },
      outputs: [differences, squares],
      sizes: { stretches: stretches.count, losses: count, part: corrects ? count / 2 : count },
      groups: chains,
    };
    programs.run(LOSSES, [one]);
    programs.release(stretches.tensor);
    return [differences, squares];
  },
};

export const readingKernels: Readonly<Record<string, OwnKernel>> = { OccamReading: reading };
