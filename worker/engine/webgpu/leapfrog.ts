/** `OccamLeapfrog` and `OccamPhase`, as in ../wasm/leapfrog.ts; worker/sample/leapfrog.ts has the equations. */
import { forEach, LANES, type OwnProgram } from "./own-program.ts";
import { Operands } from "./operands.ts";
import { stretchProgram, SUM_LANES, SUM_OF_STRETCHES, sumStretches, TOTAL } from "./partial-sums.ts";
import type { OwnKernel } from "./register.ts";

const LISTS = ["position", "momentum", "gradient", "anchor"] as const;
const STARTS = ["startPosition", "startMomentum"] as const;
const arrays = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, "f32" as const]));

/** `row` is the first of the chain's numbers: t, gamma, kick. */
const KICKED = /* wgsl */ `
fn kicked(at : u32, row : u32) -> f32 {
  let force = rows[row] * gradient[at] + rows[row + 1u] * (position[at] - anchor[at]);
  return momentum[at] - rows[row + 2u] * force;
}`;

const PUSH: OwnProgram = {
  name: "leapfrog",
  inputs: arrays(["rows", ...LISTS]),
  outputs: ["nextPosition", "nextMomentum"],
  shared: ["rows"],
  sizes: ["count", "size"],
  lanes: LANES,
  code: /* wgsl */ `${KICKED}
fn work(group : u32, lane : u32) {
  let i = group * ${LANES}u + lane;
  if (i >= sizes.count) { return; }
  let row = i / sizes.size * 4u;
  let p = kicked(i, row);
  nextMomentum[i] = p;
  nextPosition[i] = position[i] + rows[row + 3u] * p;
}`,
};

/** The four sums of `measurePhase`: (a^2 - b^2)/2 as a product of difference and sum, with a = w - w0 and a - b = w - w_0. */
const PHASE = stretchProgram(
  "phase",
  arrays(["rows", ...LISTS, ...STARTS]),
  ["rows"],
  /* wgsl */ `${KICKED}
fn term(chain : u32, i : u32, at : u32) -> vec4<f32> {
  let p = kicked(at, chain * 3u);
  let p0 = startMomentum[at];
  let apart = position[at] - anchor[at];
  let moved = position[at] - startPosition[at];
  return vec4<f32>(0.5 * (p - p0) * (p + p0), moved * (apart - 0.5 * moved), apart * apart, apart * gradient[at]);
}`,
);

const PHASE_SUMS: OwnProgram = {
  name: "phase-sums",
  inputs: arrays(["stretches"]),
  outputs: ["sums"],
  sizes: ["stretches"],
  lanes: SUM_LANES,
  code: /* wgsl */ `${TOTAL}${SUM_OF_STRETCHES}
fn work(chain : u32, lane : u32) {
  let all = sumOfStretches(chain, lane);
  if (lane < 4u) { sums[chain * 4u + lane] = all[lane]; }
}`,
};

/** New positions, then new momenta, by parameter. */
const leapfrog: OwnKernel = {
  bindings: 7,
  run: (programs, call) => {
    const given = new Operands(programs, call);
    const rows = programs.upload(given.rows(["t", "gamma", "kick", "drift"]));
    const [positions, momenta] = [given.outputs(), given.outputs()];
    const calls = given.sizes.map((size, p) =>
      forEach(given.chains * size, {
        inputs: { rows, ...given.of(p, LISTS) },
        outputs: [positions[p]!, momenta[p]!],
        sizes: { size },
      }),
    );
    programs.run(PUSH, calls);
    programs.release(rows);
    return [...positions, ...momenta];
  },
};

/** [chains, 4] */
const phase: OwnKernel = {
  bindings: 8,
  run: (programs, call) => {
    const given = new Operands(programs, call);
    const { chains, sizes } = given;
    const rows = programs.upload(given.rows(["t", "gamma", "kick"]));
    const inputsOf = (p: number) => ({ rows, ...given.of(p, [...LISTS, ...STARTS]) });
    const stretches = sumStretches(programs, PHASE, chains, sizes, inputsOf);
    const sums = programs.output([chains, 4]);
    const one = { inputs: { stretches: stretches.tensor }, outputs: [sums], sizes: { stretches: stretches.count } };
    programs.run(PHASE_SUMS, [{ ...one, groups: chains }]);
    programs.release(stretches.tensor);
    programs.release(rows);
    return sums;
  },
};

export const leapfrogKernels: Readonly<Record<string, OwnKernel>> = { OccamLeapfrog: leapfrog, OccamPhase: phase };
