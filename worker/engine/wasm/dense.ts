/**
 * Dense layers in one kernel each way, `OccamDense` and `OccamDenseGrad`, and the two operations on biases alone, `OccamAddRow`
 * and `OccamSumRows` (src/catalogue/architecture/dense.ts asks for them).
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import { activationKind, keepsSlope } from "./activation.ts";
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** assembly/dense.ts */
interface DenseExports {
  denseScratchBytes(rows: number, inner: number, columns: number): number;
  denseForward(
    x: number,
    weight: number,
    bias: number,
    y: number,
    slope: number,
    members: number,
    rows: number,
    inner: number,
    columns: number,
    kind: number,
    scratch: number,
  ): void;
  denseGradient(
    x: number,
    weight: number,
    kept: number,
    dy: number,
    dx: number,
    dWeight: number,
    dBias: number,
    members: number,
    rows: number,
    inner: number,
    columns: number,
    kind: number,
    scratch: number,
  ): void;
  addToRows(x: number, row: number, out: number, members: number, rows: number, width: number): void;
  sumOfRows(x: number, sums: number, members: number, rows: number, width: number): void;
}

const exportsOf = (heap: WasmHeap): DenseExports => heap.kernels.exports as unknown as DenseExports;
/** Address of a tensor that may be left out; the kernels know 0 as none. */
const addressOf = (heap: WasmHeap, tensor: TensorInfo | undefined): number =>
  tensor === undefined ? 0 : heap.at(tensor);

type Shape3 = readonly [number, number, number];
const shapeOf = ({ shape }: TensorInfo): Shape3 => shape as unknown as Shape3;

/** [members, rows, inner] of x and the columns of the weight, which must agree: the kernels check nothing. */
function sizesOf(x: TensorInfo, weight: TensorInfo): readonly [number, number, number, number] {
  const [members, rows, inner] = shapeOf(x);
  const [membersOfWeight, fanIn, columns] = shapeOf(weight);
  const agree = x.shape.length === 3 && weight.shape.length === 3 && members === membersOfWeight && inner === fanIn;
  invariant(agree, `a dense layer of x [${x.shape.join()}] by [${weight.shape.join()}]`);
  return [members, rows, inner, columns];
}

function expectShape(name: string, tensor: TensorInfo | undefined, shape: Shape3): void {
  if (tensor === undefined) return;
  const matches = tensor.dtype === "float32" && tensor.shape.length === 3;
  const same = matches && tensor.shape.every((length, axis) => length === shape[axis]);
  invariant(same, `${name} is float32 [${shape.join()}], not ${tensor.dtype} [${tensor.shape.join()}]`);
}

const dense: OwnKernel = (heap, { inputs, attrs }) => {
  const [x, weight, bias] = [inputs["x"]!, inputs["weight"]!, inputs["bias"]];
  const [members, rows, inner, columns] = sizesOf(x, weight);
  expectShape("bias", bias, [members, 1, columns]);
  const kind = activationKind(attrs["activation"]);
  const y = heap.output([members, rows, columns]);
  const slope = keepsSlope(kind) ? heap.output(y.shape) : undefined;
  const kernels = exportsOf(heap);
  const scratch = heap.scratch(kernels.denseScratchBytes(rows, inner, columns));
  const [atX, atWeight, atBias, atY] = [heap.at(x), heap.at(weight), addressOf(heap, bias), heap.at(y)];
  const sizes = [members, rows, inner, columns] as const;
  kernels.denseForward(atX, atWeight, atBias, atY, addressOf(heap, slope), ...sizes, kind, scratch);
  return slope === undefined ? y : [y, slope];
};

const denseGrad: OwnKernel = (heap, { inputs, attrs }) => {
  const [x, weight, dy, kept] = [inputs["x"]!, inputs["weight"]!, inputs["dy"]!, inputs["kept"]];
  const [members, rows, inner, columns] = sizesOf(x, weight);
  const kind = activationKind(attrs["activation"]);
  expectShape("dy", dy, [members, rows, columns]);
  expectShape("kept", kept, [members, rows, columns]);
  invariant(kind === 0 || kept !== undefined, "the gradient of an activation has what its forward pass kept");
  const dWeight = heap.output(weight.shape);
  const dBias = heap.output([members, 1, columns]);
  const dx = attrs["inputGradient"] === true ? heap.output(x.shape) : undefined;
  const kernels = exportsOf(heap);
  const scratch = heap.scratch(kernels.denseScratchBytes(rows, inner, columns));
  const given = [heap.at(x), heap.at(weight), addressOf(heap, kept), heap.at(dy)] as const;
  const made = [addressOf(heap, dx), heap.at(dWeight), heap.at(dBias)] as const;
  kernels.denseGradient(...given, ...made, members, rows, inner, columns, kind, scratch);
  return dx === undefined ? [dWeight, dBias] : [dWeight, dBias, dx];
};

const addRow: OwnKernel = (heap, { inputs }) => {
  const [x, row] = [inputs["x"]!, inputs["row"]!];
  const [members, rows, width] = shapeOf(x);
  expectShape("x", x, [members, rows, width]);
  expectShape("row", row, [members, 1, width]);
  const out = heap.output(x.shape);
  exportsOf(heap).addToRows(heap.at(x), heap.at(row), heap.at(out), members, rows, width);
  return out;
};

const sumRows: OwnKernel = (heap, { inputs }) => {
  const x = inputs["x"]!;
  const [members, rows, width] = shapeOf(x);
  expectShape("x", x, [members, rows, width]);
  const sums = heap.output([members, 1, width]);
  exportsOf(heap).sumOfRows(heap.at(x), heap.at(sums), members, rows, width);
  return sums;
};

export const denseKernels: Readonly<Record<string, OwnKernel>> = {
  OccamDense: dense,
  OccamDenseGrad: denseGrad,
  OccamAddRow: addRow,
  OccamSumRows: sumRows,
};
