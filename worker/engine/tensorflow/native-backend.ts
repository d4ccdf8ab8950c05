/**
 * What this engine uses of tfjs-node's backend object and of the addon below it, which speaks TensorFlow's eager C API. A
 * tensor of the addon is a number, its handle; `executeOp` and `createTensor` make handles, `deleteTensor` ends one.
 */
import type { Tensor, Tf } from "../../../src/catalogue/entry.ts";

export type TensorHandle = number;

export interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: number;
}

/** A tensor that an operation has made. */
export interface OpOutput {
  readonly id: TensorHandle;
  readonly shape: readonly number[];
  readonly dtype: number;
}

export interface NativeBinding {
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_TYPE: number;
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array): TensorHandle;
  executeOp(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly TensorHandle[],
    outputs: number,
  ): readonly OpOutput[];
  deleteTensor(handle: TensorHandle): void;
  /** Handles that live. */
  getNumOfTensors(): number;
}

/** `NodeJSKernelBackend` of tfjs-node 4.22.0. */
export interface NativeBackend {
  readonly isUsingGpuDevice: boolean;
  readonly binding: NativeBinding;
  /** Hands a handle over to TensorFlow.js, as a tensor of the current tidy. */
  createOutputTensor(output: OpOutput): Tensor;
}

/** The backend object; it is the current one once tfjs-node is loaded. */
export const nativeBackend = (tf: Tf): NativeBackend => tf.backend() as unknown as NativeBackend;
