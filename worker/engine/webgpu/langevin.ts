/**
 * `OccamLangevin`, as in ../wasm/langevin.ts: one step of all chains, noise drawn within; worker/sample/sgld.ts has the equation.
 * An invocation makes the four numbers that one block of Philox draws.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { NORMALS, PHILOX } from "./noise.ts";
import { forEach, LANES, type OwnProgram } from "./own-program.ts";
import { Operands } from "./operands.ts";
import type { OwnKernel } from "./register.ts";

/** Which terms of a step act. */
interface Terms {
  readonly corrects: boolean;
  readonly preconditions: boolean;
  readonly averages: boolean;
}

/** Words of a chain: t, gamma, eps/2, sqrt eps, and its key's two. They follow the number of the step. */
const ROW = 6;
const BLOCK = 4;

function programOf({ corrects, preconditions, averages }: Terms): OwnProgram {
  return {
    name: `langevin-${[corrects, preconditions, averages].map(Number).join("")}`,
    inputs: {
      words: "u32",
      position: "f32",
      gradient: "f32",
      anchor: "f32",
      ...(corrects && { corrections: "f32", rows: "i32" }),
      ...(preconditions && { root: "f32" }),
      ...(averages && { before: "f32" }),
    },
    outputs: averages ? ["moved", "fresh"] : ["moved"],
    shared: corrects ? ["words", "rows"] : ["words"],
    sizes: ["count", "size", "blocks", "parameter"],
    lanes: LANES,
    code: /* wgsl */ `${PHILOX}${NORMALS}
fn number(at : u32) -> f32 { return bitcast<f32>(words[at]); }

fn work(group : u32, lane : u32) {
  let index = group * ${LANES}u + lane;
  if (index >= sizes.count) { return; }
  let chain = index / sizes.blocks;
  let block = index - chain * sizes.blocks;
  let row = 1u + chain * ${ROW}u;
  let key = vec2<u32>(words[row + 4u], words[row + 5u]);
  let drawn = transform(philox(key, vec4<u32>(block, 0u, words[0], sizes.parameter)));
  let end = min(sizes.size, (block + 1u) * ${BLOCK}u);
  for (var i = block * ${BLOCK}u; i < end; i = i + 1u) {
    let at = chain * sizes.size + i;
    var xi = drawn[i - block * ${BLOCK}u];
    ${averages ? "fresh[at] = xi; xi = 0.5 * (before[at] + xi);" : ""}
    let g = gradient[at]${corrects ? " - corrections[u32(rows[chain]) * 2u * sizes.size + i]" : ""};
    let w = position[at];
    let drift = number(row) * g + number(row + 1u) * (w - anchor[at]);
    ${preconditions ? "let r = root[at];" : "let r = 1.0;"}
    moved[at] = w - number(row + 2u) * (r * r * drift) + number(row + 3u) * (r * xi);
  }
}`,
  };
}

/** New positions, then, where the call has normals of the step before, those of this step: by parameter. */
const langevin: OwnKernel = {
  bindings: 10,
  run: (programs, call) => {
    const given = new Operands(programs, call);
    const { chains, sizes } = given;
    const terms = {
      corrects: given.has("corrections0"),
      preconditions: given.has("root0"),
      averages: given.has("before0"),
    };
    const program = programOf(terms);
    const keys = programs.valuesOf(given.at("keys"));
    const words = programs.upload(wordsOf(given, keys, call.attrs["step"] as number));
    const shared: Record<string, TensorInfo> = { words, ...(terms.corrects && { rows: given.at("rows") }) };
    const lists = Object.keys(program.inputs).filter((name) => name !== "words" && name !== "rows");
    const moved = given.outputs();
    const fresh = terms.averages ? given.outputs() : [];
    const calls = sizes.map((size, p) => {
      const blocks = Math.ceil(size / BLOCK);
      return forEach(chains * blocks, {
        inputs: { ...shared, ...given.of(p, lists) },
        outputs: [moved[p]!, ...fresh.slice(p, p + 1)],
        sizes: { size, blocks, parameter: p },
      });
    });
    programs.run(program, calls);
    programs.release(words);
    return [...moved, ...fresh];
  },
};

function wordsOf(given: Operands, keys: ArrayLike<number>, step: number): Int32Array {
  const numbers = new Float32Array(1 + given.chains * ROW);
  const words = new Int32Array(numbers.buffer);
  words[0] = step;
  const settings = given.rows(["t", "gamma", "epsilon"]);
  for (let chain = 0; chain < given.chains; chain += 1) {
    const [t, gamma, epsilon] = settings.subarray(3 * chain);
    const at = 1 + chain * ROW;
    numbers.set([t!, gamma!, epsilon! / 2, Math.sqrt(epsilon!)], at);
    words.set([keys[2 * chain]!, keys[2 * chain + 1]!], at + 4);
  }
  return words;
}

export const langevinKernels: Readonly<Record<string, OwnKernel>> = { OccamLangevin: langevin };
