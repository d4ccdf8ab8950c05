/**
 * One update of contiguous members of a fused program, all parameters at once: "OccamUpdate-" and the kind of the optimizer;
 * inputs, outputs and attributes as in ../wasm/optimizer.ts. Weight and slots of a parameter are made
 * together, and as many parameters in one dispatch as the device has bindings for.
 *
 * What depends on the member and the step alone is computed here, in double precision: it is a row of six numbers a member,
 * and the one upload of an update.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import { sizeOf } from "../shape.ts";
import { forEach, LANES, type OwnProgram, type OwnPrograms } from "./own-program.ts";
import type { KernelCall, OwnKernel } from "./register.ts";

interface Rule {
  readonly slots: number;
  /** Hyperparameters after the learning rate, as the code has them: h.a, h.b and so on. */
  readonly names: readonly [string, ...string[]] | readonly [];
  /** Are the powers of beta1 and beta2 corrected for? */
  readonly corrects?: boolean;
  /** WGSL that reads w, g and the slots s0, s1, and leaves their next values in them. */
  readonly code: string;
}

const MOMENTUM = { slots: 1, names: ["momentum"] } as const;
const ADAM = /* wgsl */ `
  s0 = average(s0, g, h.a);
  s1 = average(s1, g * g, h.b);
  let direction = (s0 * h.mean) / (sqrt(s1 * h.square) + h.c);`;
const ADAM_RULE = { slots: 2, corrects: true } as const;

const RULES: Readonly<Record<string, Rule>> = {
  sgd: { slots: 0, names: [], code: "w = w - g * h.rate;" },
  momentum: { ...MOMENTUM, code: "s0 = s0 * h.a + g; w = w - s0 * h.rate;" },
  nesterov: { ...MOMENTUM, code: "s0 = s0 * h.a + g; w = w - (g + s0 * h.a) * h.rate;" },
  rmsprop: {
    slots: 1,
    names: ["decay", "epsilon"],
    code: "s0 = average(s0, g * g, h.a); w = w - (g / (sqrt(s0) + h.b)) * h.rate;",
  },
  adam: { ...ADAM_RULE, names: ["beta1", "beta2", "epsilon"], code: `${ADAM} w = w - direction * h.rate;` },
  adamw: {
    ...ADAM_RULE,
    names: ["beta1", "beta2", "epsilon", "weightDecay"],
    code: `${ADAM} w = w - (direction + w * h.d) * h.rate;`,
  },
  lion: {
    slots: 1,
    names: ["beta1", "beta2", "weightDecay"],
    code: "let u = signOf(average(s0, g, h.a)); s0 = average(s0, g, h.b); w = w - (u + w * h.c) * h.rate;",
  },
};

/** A member's numbers, in order: the rate, up to four others, what Adam's mean and its mean square are multiplied by. */
const ROW = ["rate", "a", "b", "c", "d", "mean", "square"] as const;

/** The sign of NaN is NaN: the bits are looked at, for WGSL lets comparisons take it that there is none. */
const SHARED = /* wgsl */ `
struct Row { ${ROW.map((name) => `${name} : f32, `).join("")} }

fn average(a : f32, x : f32, beta : f32) -> f32 { return a * beta + x * (1.0 - beta); }

fn signOf(x : f32) -> f32 {
  let size = bitcast<u32>(x) & 0x7fffffffu;
  if (size > 0x7f800000u) { return x; }
  if (size == 0u) { return 0.0; }
  return select(1.0, -1.0, (bitcast<u32>(x) >> 31u) == 1u);
}`;

function programOf(kind: string, { slots, code }: Rule): OwnProgram {
  const every = Array.from({ length: slots }, (_, i) => i);
  return {
    name: `update-${kind}`,
    inputs: {
      rows: "f32",
      weight: "f32",
      gradient: "f32",
      ...Object.fromEntries(every.map((i) => [`slot${i}`, "f32" as const])),
    },
    shared: ["rows"],
    outputs: ["nextWeight", ...every.map((i) => `nextSlot${i}`)],
    sizes: ["count", "size", "first"],
    lanes: LANES,
    code: /* wgsl */ `${SHARED}
fn rowOf(member : u32) -> Row {
  let at = member * ${ROW.length}u;
  return Row(${ROW.map((_, i) => `rows[at + ${i}u]`).join(", ")});
}
fn work(group : u32, lane : u32) {
  let i = group * ${LANES}u + lane;
  if (i >= sizes.count) { return; }
  let h = rowOf(i / sizes.size);
  let g = gradient[sizes.first + i];
  var w = weight[sizes.first + i];
  ${every.map((n) => `var s${n} = slot${n}[i];`).join(" ")}
  ${code}
  nextWeight[i] = w;
  ${every.map((n) => `nextSlot${n}[i] = s${n};`).join(" ")}
}`,
  };
}

export const optimizerKernels: Readonly<Record<string, OwnKernel>> = Object.fromEntries(
  Object.entries(RULES).map(([kind, rule]) => {
    const program = programOf(kind, rule);
    const bindings = Object.keys(program.inputs).length + program.outputs.length;
    return [`OccamUpdate-${kind}`, { bindings, run: (programs, call) => update(programs, call, rule, program) }];
  }),
);

function update(programs: OwnPrograms, { inputs, attrs }: KernelCall, rule: Rule, program: OwnProgram): TensorInfo[] {
  const { parameters, slots, from, step, factor } = attrs as Readonly<Record<string, number>>;
  invariant(slots === rule.slots, `${program.name} has ${rule.slots} slots, not ${slots}`);
  const members = inputs["learningRate"]!.shape[0]!;
  const rows = programs.upload(rowsOf(programs, inputs, rule, members, step!, factor!));
  const calls = Array.from({ length: parameters! }, (_, p) => {
    const weight = inputs[`weight${p}`]!;
    const shape = weight.shape.slice(1);
    const size = sizeOf(shape);
    const before = Array.from({ length: rule.slots }, (_, i) => [`slot${i}`, inputs[`slot${p}.${i}`]!] as const);
    return forEach(members * size, {
      inputs: { rows, weight, gradient: inputs[`gradient${p}`]!, ...Object.fromEntries(before) },
      outputs: Array.from({ length: 1 + rule.slots }, () => programs.output([members, ...shape])),
      sizes: { size, first: from! * size },
    });
  });
  programs.run(program, calls);
  programs.release(rows);
  return calls.flatMap(({ outputs }) => outputs);
}

/** By member. Powers and corrections are of the float32 beta that the averages are taken with. */
function rowsOf(
  programs: OwnPrograms,
  inputs: KernelCall["inputs"],
  { names, corrects = false }: Rule,
  members: number,
  step: number,
  factor: number,
): Float32Array {
  const values = (name: string): ArrayLike<number> => programs.valuesOf(inputs[name]!);
  const rows = new Float32Array(members * ROW.length);
  const [rates, ...others] = ["learningRate", ...names].map(values);
  for (let k = 0; k < members; k += 1) {
    const at = k * ROW.length;
    rows[at] = rates![k]! * Math.fround(factor);
    others.forEach((of, i) => (rows[at + 1 + i] = of[k]!));
    if (!corrects) continue;
    const [beta1, beta2] = others;
    rows[at + ROW.indexOf("mean")] = 1 / (1 - beta1![k]! ** step);
    rows[at + ROW.indexOf("square")] = 1 / (1 - beta2![k]! ** step);
  }
  return rows;
}
