/**
 * Losses of rows and their gradients, `OccamSquaredError`, `OccamCrossEntropy` and either's `...Grad` (../row-loss.ts asks for
 * them). One invocation a row, so that a row is added up in its own order.
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import { sizeOf } from "../shape.ts";
import { forEach, LANES, type OwnProgram } from "./own-program.ts";
import type { OwnKernel } from "./register.ts";

const program = (name: string, inputs: readonly string[], outputs: readonly string[], code: string): OwnProgram => ({
  name,
  inputs: Object.fromEntries(inputs.map((input) => [input, "f32"])),
  outputs,
  sizes: ["count", "width"],
  lanes: LANES,
  code: /* wgsl */ `
fn work(group : u32, lane : u32) {
  let i = group * ${LANES}u + lane;
  if (i >= sizes.count) { return; }
  ${code}
}`,
});

const ROW = "let first = i * sizes.width; let end = first + sizes.width;";

const SQUARED_ERROR = program(
  "squared-error",
  ["f", "y"],
  ["value"],
  /* wgsl */ `${ROW}
  var sum = 0.0;
  for (var at = first; at < end; at = at + 1u) { let error = y[at] - f[at]; sum = sum + error * error; }
  value[i] = 0.5 * sum;`,
);

const SQUARED_ERROR_GRAD = program("squared-error-grad", ["dy", "f", "y"], ["df"], "df[i] = dy[i / sizes.width] * (f[i] - y[i]);"); // prettier-ignore

/** sum of q (log sum e^(z - m) - (z - m)), m the largest: a row that holds a NaN has no other value. */
const CROSS_ENTROPY = program(
  "cross-entropy",
  ["z", "q"],
  ["value", "p"],
  /* wgsl */ `${ROW}
  var most = z[first];
  for (var at = first; at < end; at = at + 1u) { most = max(most, z[at]); }
  var sum = 0.0;
  for (var at = first; at < end; at = at + 1u) { let e = exp(z[at] - most); p[at] = e; sum = sum + e; }
  let logarithm = log(sum);
  var loss = 0.0;
  for (var at = first; at < end; at = at + 1u) {
    p[at] = p[at] / sum;
    loss = loss + q[at] * (logarithm - (z[at] - most));
  }
  value[i] = loss;`,
);

const CROSS_ENTROPY_GRAD = program("cross-entropy-grad", ["dy", "p", "q"], ["dz"], "dz[i] = dy[i / sizes.width] * (p[i] - q[i]);"); // prettier-ignore

function rowsOf(a: TensorInfo, b: TensorInfo): readonly [number, number] {
  const same = a.dtype === "float32" && b.dtype === "float32" && a.shape.join() === b.shape.join();
  invariant(same, `outputs and targets of one shape, not [${a.shape.join()}] and [${b.shape.join()}]`);
  return [sizeOf(a.shape.slice(0, -1)), a.shape.at(-1)!];
}

const squaredError: OwnKernel = {
  bindings: 3,
  run: (programs, { inputs }) => {
    const [f, y] = [inputs["outputs"]!, inputs["targets"]!];
    const [rows, width] = rowsOf(f, y);
    const value = programs.output(f.shape.slice(0, -1));
    programs.run(SQUARED_ERROR, [forEach(rows, { inputs: { f, y }, outputs: [value], sizes: { width } })]);
    return value;
  },
};

const squaredErrorGrad: OwnKernel = {
  bindings: 4,
  run: (programs, { inputs }) => {
    const [dy, f, y] = [inputs["dy"]!, inputs["outputs"]!, inputs["targets"]!];
    const [rows, width] = rowsOf(f, y);
    invariant(sizeOf(dy.shape) === rows, `one gradient for each of ${rows} rows`);
    const df = programs.output(f.shape);
    programs.run(SQUARED_ERROR_GRAD, [
      forEach(rows * width, { inputs: { dy, f, y }, outputs: [df], sizes: { width } }),
    ]);
    return df;
  },
};

/** Values [...], probabilities [..., classes]. */
const crossEntropy: OwnKernel = {
  bindings: 4,
  run: (programs, { inputs }) => {
    const [z, q] = [inputs["logits"]!, inputs["targets"]!];
    const [rows, width] = rowsOf(z, q);
    const outputs = [programs.output(z.shape.slice(0, -1)), programs.output(z.shape)];
    programs.run(CROSS_ENTROPY, [forEach(rows, { inputs: { z, q }, outputs, sizes: { width } })]);
    return outputs;
  },
};

const crossEntropyGrad: OwnKernel = {
  bindings: 4,
  run: (programs, { inputs }) => {
    const [dy, p, q] = [inputs["dy"]!, inputs["probabilities"]!, inputs["targets"]!];
    const [rows, width] = rowsOf(p, q);
    invariant(sizeOf(dy.shape) === rows, `one gradient for each of ${rows} rows`);
    const dz = programs.output(p.shape);
    programs.run(CROSS_ENTROPY_GRAD, [
      forEach(rows * width, { inputs: { dy, p, q }, outputs: [dz], sizes: { width } }),
    ]);
    return dz;
  },
};

export const rowLossKernels: Readonly<Record<string, OwnKernel>> = {
  OccamSquaredError: squaredError,
  OccamSquaredErrorGrad: squaredErrorGrad,
  OccamCrossEntropy: crossEntropy,
  OccamCrossEntropyGrad: crossEntropyGrad,
};
