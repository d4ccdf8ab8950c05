/**
 * Dense layers each way, `OccamDense` and `OccamDenseGrad`, and the two operations on biases alone, `OccamAddRow` and
 * `OccamSumRows`, as in ../wasm/dense.ts. Products are TensorFlow.js's tiled ones, which add the bias in the same program, but
 * not their relu (activation.ts says why); the gradient of the bias comes with that of the activation.
 */
import type { NamedAttrMap, NamedTensorInfoMap, TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import { sizeOf } from "../shape.ts";
import { activation, activationKind, BACK, type ActivationKind } from "./activation.ts";
import { forEach, LANES, type OwnProgram, type OwnPrograms } from "./own-program.ts";
import type { OwnKernel } from "./register.ts";

/** A workgroup sums so many columns, in so many rows at a time. */
const COLUMNS = 16;
const ROWS = 16;

/**
 * dz = dy phi'(z) and its sums over the rows of each member, or, of "sum", the sums of dy alone. A column's order of adding up is
 * decided by the number of its rows.
 */
function sumProgram(kind: ActivationKind): OwnProgram {
  const hasSlope = kind !== "none";
  return {
    name: `sum-rows-${kind}`,
    inputs: hasSlope ? { dy: "f32", kept: "f32" } : { dy: "f32" },
    outputs: hasSlope ? ["sums", "dz"] : ["sums"],
    sizes: ["rows", "width", "blocks"],
    lanes: COLUMNS * ROWS,
    code: /* wgsl */ `${BACK[kind]}
var<workgroup> shares : array<f32, ${COLUMNS * ROWS}>;
fn work(group : u32, lane : u32) {
  let member = group / sizes.blocks;
  let column = (group - member * sizes.blocks) * ${COLUMNS}u + lane % ${COLUMNS}u;
  var sum = 0.0;
  if (column < sizes.width) {
    for (var row = lane / ${COLUMNS}u; row < sizes.rows; row = row + ${ROWS}u) {
      let at = (member * sizes.rows + row) * sizes.width + column;
      let value = back(dy[at], ${hasSlope ? "kept[at]" : "0.0"});
      ${hasSlope ? "dz[at] = value;" : ""}
      sum = sum + value;
    }
  }
  shares[lane] = sum;
  for (var half = ${(COLUMNS * ROWS) / 2}u; half >= ${COLUMNS}u; half = half >> 1u) {
    workgroupBarrier();
    if (lane < half) { shares[lane] = shares[lane] + shares[lane + half]; }
  }
  if (lane < ${COLUMNS}u && column < sizes.width) { sums[member * sizes.width + column] = shares[lane]; }
}`,
  };
}

const ADD_ROW: OwnProgram = {
  name: "add-row",
  inputs: { x: "f32", row: "f32" },
  outputs: ["y"],
  sizes: ["count", "width", "member"],
  lanes: LANES,
  code: /* wgsl */ `
fn work(group : u32, lane : u32) {
  let i = group * ${LANES}u + lane;
  if (i < sizes.count) { y[i] = x[i] + row[i / sizes.member * sizes.width + i % sizes.width]; }
}`,
};

/** [members, rows, width] */
type Shape3 = readonly [number, number, number];

function shape3({ dtype, shape }: TensorInfo): Shape3 {
  invariant(
    dtype === "float32" && shape.length === 3,
    `float32 [members, rows, width], not ${dtype} [${shape.join()}]`,
  );
  return shape as unknown as Shape3;
}

function expectShape(name: string, tensor: TensorInfo | undefined, shape: Shape3): void {
  if (tensor === undefined) return;
  invariant(shape3(tensor).join() === shape.join(), `${name} is [${shape.join()}], not [${tensor.shape.join()}]`);
}

/** Sums over rows, [members, 1, width], and dz where there is a slope. */
function sumRows(programs: OwnPrograms, kind: ActivationKind, dy: TensorInfo, kept?: TensorInfo): TensorInfo[] {
  const [members, rows, width] = shape3(dy);
  const blocks = Math.ceil(width / COLUMNS);
  const sums = programs.output([members, 1, width]);
  const made = kept === undefined ? [sums] : [sums, programs.output(dy.shape)];
  const inputs = kept === undefined ? { dy } : { dy, kept };
  const one = { inputs, outputs: made, sizes: { rows, width, blocks }, groups: members * blocks };
  programs.run(sumProgram(kind), [one]);
  return made;
}

function shipped(programs: OwnPrograms, name: string, inputs: NamedTensorInfoMap, attrs: NamedAttrMap): TensorInfo {
  return programs.adopt(programs.shipped(name)({ inputs, attrs, backend: programs.backend }) as TensorInfo);
}

const dense: OwnKernel = {
  bindings: 4,
  run: (programs, { inputs, attrs }) => {
    const [x, weight, bias] = [inputs["x"]!, inputs["weight"]!, inputs["bias"]];
    const [members, , inner] = shape3(x);
    const columns = weight.shape[2]!;
    expectShape("weight", weight, [members, inner, columns]);
    expectShape("bias", bias, [members, 1, columns]);
    const kind = activationKind(attrs["activation"]);
    const given = { a: x, b: weight, ...(bias !== undefined && { bias }) };
    const z = shipped(programs, "_FusedMatMul", given, {
      transposeA: false,
      transposeB: false,
      activation: "linear",
    });
    if (kind === "none") return z;
    const made = activation.run(programs, { inputs: { x: z }, attrs });
    programs.release(z);
    return made;
  },
};

const denseGrad: OwnKernel = {
  bindings: 4,
  run: (programs, { inputs, attrs }) => {
    const [x, weight, dy, kept] = [inputs["x"]!, inputs["weight"]!, inputs["dy"]!, inputs["kept"]];
    const [members, rows, inner] = shape3(x);
    const columns = weight.shape[2]!;
    const kind = activationKind(attrs["activation"]);
    expectShape("weight", weight, [members, inner, columns]);
    expectShape("dy", dy, [members, rows, columns]);
    expectShape("kept", kept, [members, rows, columns]);
    invariant(kind === "none" || kept, "the gradient of an activation has what its forward pass kept");
    const [dBias, own] = sumRows(programs, kind, dy, kind === "none" ? undefined : kept);
    const dz = own ?? dy;
    const product = (a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean): TensorInfo =>
      shipped(programs, "BatchMatMul", { a, b }, { transposeA, transposeB });
    const made = [product(x, dz, true, false), dBias!];
    if (attrs["inputGradient"] === true) made.push(product(dz, weight, false, true));
    if (own !== undefined) programs.release(own);
    return made;
  },
};

const addRow: OwnKernel = {
  bindings: 3,
  run: (programs, { inputs }) => {
    const [x, row] = [inputs["x"]!, inputs["row"]!];
    const [members, rows, width] = shape3(x);
    expectShape("row", row, [members, 1, width]);
    const y = programs.output(x.shape);
    const sizes = { width, member: rows * width };
    programs.run(ADD_ROW, [forEach(sizeOf(x.shape), { inputs: { x, row }, outputs: [y], sizes })]);
    return y;
  },
};

export const denseKernels: Readonly<Record<string, OwnKernel>> = {
  OccamDense: dense,
  OccamDenseGrad: denseGrad,
  OccamAddRow: addRow,
  OccamSumRows: { bindings: 2, run: (programs, { inputs }) => sumRows(programs, "none", inputs["x"]!) },
};
