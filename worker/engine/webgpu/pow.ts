/**
 * a^b for whole b by repeated squaring. WGSL's own `pow` is 2^(b log2 a), whose logarithm may err by 2^-21 beside 1: in Adam's
 * 1 - beta2^t with beta2 = 0.999 that is 5e-4 of it at the first update, and the learning rate as wrong. Squaring is exact for
 * b = 1, and for more it errs by at most |b| - 1 roundings of 2^-24.
 */
import type { DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import type { WebgpuBackend, WebgpuProgram } from "./tfjs-backend.ts";

const WORKGROUP_SIZE = 64;

/** In place of the package's kernel, which stays for integers. */
export function registerPow(tf: Tf, backend: WebgpuBackend): void {
  const shipped = tf.getKernel("Pow", "webgpu");
  invariant(shipped, "the package has a kernel for Pow");
  tf.unregisterKernel("Pow", "webgpu");
  tf.registerKernel({
    ...shipped,
    kernelFunc: (params) => {
      const { a, b } = params.inputs as { readonly a: TensorInfo; readonly b: TensorInfo };
      const isFloat = ([a.dtype, b.dtype] as DataType[]).every((dtype) => dtype === "float32");
      if (!isFloat) return shipped.kernelFunc(params);
      const shape = tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
      return backend.runWebGPUProgram(powProgram(shape, tf.util.sizeFromShape(shape)), [a, b], "float32", []);
    },
  });
}

function powProgram(outputShape: number[], size: number): WebgpuProgram {
  return {
    outputShape,
    variableNames: ["A", "B"],
    uniforms: "",
    workgroupSize: [WORKGROUP_SIZE, 1, 1],
    dispatchLayout: { x: outputShape.map((_, axis) => axis) },
    dispatch: [Math.ceil(size / WORKGROUP_SIZE), 1, 1],
    shaderKey: "occam-pow",
    size: true,
    getUserCode: () => POW,
  };
}

/** 2^24 is the last of the whole numbers without a gap in float32. Negative bases have no real powers but whole ones. */
const POW = /* wgsl */ `
fn power(a : f32, b : f32) -> f32 {
  if (floor(b) != b || abs(b) > 0x1p24f) {
    if (a < 0.0) { return uniforms.NAN; }
    return pow(a, b);
  }
  var result = 1.0;
  var square = a;
  for (var rest = u32(abs(b)); rest != 0u; rest = rest >> 1u) {
    if ((rest & 1u) == 1u) { result = result * square; }
    square = square * square;
  }
  return select(result, 1.0 / result, b < 0.0);
}

fn main(index : i32) {
  if (index < uniforms.size) {
    setOutputAtIndex(index, power(getAByOutputIndex(index), getBByOutputIndex(index)));
  }
}`;
