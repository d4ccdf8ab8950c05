/**
 * TensorFlow.js's WebGPU backend on a device of ours. Three of its parts are replaced: reading (its `readSync` goes through a
 * canvas, which Node has not, and its `read` believes whatever a failed program left), its pool of buffers, and uploading
 * (every scalar goes up through a mapped buffer of its own, which a GPU's driver has to allocate anew: about 1 ms each).
 */
import { createRequire } from "node:module";
import type { TensorInfo, TypedArray } from "@tensorflow/tfjs-core";
import { OccamError, invariant } from "../../../src/core/errors.ts";
import { sizeOf } from "../shape.ts";
import { BufferPool } from "./buffer-pool.ts";
import { BUFFER_USAGE, type GpuBuffer, type GpuDevice, type OpenDevice } from "./dawn.ts";
import { DawnEvents } from "./dawn-events.ts";
import { DeviceErrors } from "./device-errors.ts";

/** A compute program as the backend's compiler takes it: WGSL with the accessors that it generates around it. */
export interface WebgpuProgram {
  readonly outputShape: number[];
  /** Inputs are bound under these names. */
  readonly variableNames: string[];
  /** Declarations of own uniforms: "rows : i32, ". */
  readonly uniforms: string;
  readonly workgroupSize: [number, number, number];
  /** Output axes that the x dimension of the dispatch runs over. */
  readonly dispatchLayout: { readonly x: number[] };
  /** Workgroups; the backend splits a long x over the other dimensions. */
  readonly dispatch: [number, number, number];
  /** Tells programs with different code apart. */
  readonly shaderKey: string;
  readonly size: boolean;
  getUserCode(): string;
}

export interface WebgpuUniform {
  readonly type: "int32" | "float32";
  readonly data: number[];
}

interface TensorData {
  values: TypedArray | null;
  readonly dtype: "float32" | "int32" | "bool" | "string" | "complex64";
  readonly shape: readonly number[];
  resource: GpuBuffer | null;
}

/** A uniform as the backend writes it. */
export interface TfjsUniform {
  readonly type: string;
  readonly data: readonly number[];
}

interface CommandEncoder {
  copyBufferToBuffer(source: GpuBuffer, from: number, target: GpuBuffer, to: number, bytes: number): void;
  beginComputePass(descriptor: object): ComputePass;
}

export interface BindGroupLayout {
  readonly label: string;
}

export interface ComputePipeline {
  getBindGroupLayout(index: number): BindGroupLayout;
}

interface ComputePass {
  setPipeline(pipeline: ComputePipeline): void;
  setBindGroup(index: number, bindGroup: object): void;
  dispatchWorkgroups(x: number, y?: number): void;
}

export interface BindGroupDescriptor {
  readonly layout: BindGroupLayout;
  readonly entries: readonly { readonly binding: number; readonly resource: { readonly buffer: GpuBuffer } }[];
}

/** The device as programs are made on it. */
export interface ProgramDevice {
  readonly limits: Readonly<Record<string, number>>;
  createShaderModule(descriptor: { readonly code: string; readonly label: string }): object;
  createComputePipeline(descriptor: {
    readonly layout: "auto";
    readonly compute: { readonly module: object; readonly entryPoint: string };
  }): ComputePipeline;
  createBindGroup(descriptor: BindGroupDescriptor): object;
}

/** What we use of `WebGPUBackend`; some of it is private there. */
export interface WebgpuBackend {
  bufferManager: BufferPool;
  readonly device: ProgramDevice;
  readonly queue: { writeBuffer(buffer: GpuBuffer, offset: number, data: TypedArray): void };
  readonly tensorMap: { get(dataId: object): TensorData };
  readonly commandEncoder: CommandEncoder;
  computePassEncoder: ComputePass | null;
  /** Programs recorded since the last submit. */
  dispatchCountInPass: number;
  /** Tensors of programs that are recorded and not yet submitted: their buffers wait when they are disposed of. */
  readonly commandQueueOwnedIds: WeakSet<object>;
  /** Released with the next submit. */
  readonly uniformPendingDisposal: GpuBuffer[];
  readonly pipelineCache: Readonly<Record<string, unknown>>;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  read(dataId: object): Promise<TypedArray>;
  readSync(dataId: object): TypedArray | null;
  uploadToGPU(dataId: object): void;
  makeUniforms(uniforms: readonly TfjsUniform[]): {
    readonly offset: 0;
    readonly size: number;
    readonly buffer: GpuBuffer;
  };
  makeTensorInfo(shape: number[], dtype: "float32" | "int32", values?: Float32Array | Int32Array): TensorInfo;
  disposeData(dataId: object): boolean;
  runWebGPUProgram(
    program: WebgpuProgram,
    inputs: readonly TensorInfo[],
    dtype: "float32" | "int32",
    uniforms: readonly WebgpuUniform[],
  ): TensorInfo;
}

interface WebgpuPackage {
  readonly WebGPUBackend: new (device: GpuDevice, info: OpenDevice["info"]) => WebgpuBackend;
}

const BYTES_PER_NUMBER = 4;
const TENSOR_USAGE = BUFFER_USAGE.storage | BUFFER_USAGE.copySource | BUFFER_USAGE.copyDestination;

const require = createRequire(import.meta.url);

/** The backend, its kernels registered, itself not. */
export async function openTfjsBackend({ device, info }: OpenDevice, memoryLimitBytes: number): Promise<WebgpuBackend> {
  const { WebGPUBackend } = require("@tensorflow/tfjs-backend-webgpu") as WebgpuPackage;
  const backend = withNavigator({ gpu: {} }, () => new WebGPUBackend(device, info));
  const errors = new DeviceErrors(device);
  const events = await DawnEvents.of(device);
  backend.bufferManager = new BufferPool(device, errors, memoryLimitBytes);

  const read = backend.read.bind(backend);
  backend.read = async (dataId) => {
    const values = await read(dataId);
    errors.throwFirst();
    return values;
  };
  backend.readSync = (dataId) => {
    const data = backend.tensorMap.get(dataId);
    if (data.values !== null && data.values !== undefined) return data.values;
    invariant(data.dtype !== "complex64" && data.resource, "what is read is real and on the device");
    const bytes = readBuffer(backend, events, data.resource);
    errors.throwFirst();
    if (bytes === undefined) throw new OccamError("internal", "backend webgpu: the device was lost before it was read");
    data.values = data.dtype === "float32" ? new Float32Array(bytes) : integers(bytes, data.dtype);
    return data.values;
  };
  backend.uploadToGPU = (dataId) => {
    upload(backend, backend.tensorMap.get(dataId));
  };
  return backend;
}

/**
 * Gives a tensor its buffer, and the buffer its values where it has any. The queue writes before whatever is submitted later;
 * a buffer that the pool gives out is in nothing that is recorded and not yet submitted, for TensorFlow.js releases those of
 * recorded programs when it submits.
 */
function upload(backend: WebgpuBackend, data: TensorData): void {
  if (data.resource !== null && data.resource !== undefined) return;
  const buffer = backend.bufferManager.acquireBuffer(BYTES_PER_NUMBER * sizeOf(data.shape), TENSOR_USAGE);
  if (data.values) {
    backend.queue.writeBuffer(buffer, 0, wordsOf(data.dtype, data.values));
    data.values = null;
  }
  data.resource = buffer;
}

/** As the device keeps them; a tensor's values may be an array of any numbers. */
function wordsOf(dtype: TensorData["dtype"], values: TypedArray): TypedArray {
  const Words = dtype === "float32" ? Float32Array : Int32Array;
  return values instanceof Words ? values : Words.from(values);
}

/** A buffer's bytes, after everything that was recorded before; undefined when the device failed. */
function readBuffer(backend: WebgpuBackend, events: DawnEvents, source: GpuBuffer): ArrayBuffer | undefined {
  const usage = BUFFER_USAGE.mapRead | BUFFER_USAGE.copyDestination;
  const staging = backend.bufferManager.acquireBuffer(source.size, usage);
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder.copyBufferToBuffer(source, 0, staging, 0, source.size);
  backend.submitQueue();
  const mapped = events.mapForReading(staging);
  const bytes = mapped ? staging.getMappedRange().slice(0) : undefined;
  if (mapped) staging.unmap();
  backend.bufferManager.releaseBuffer(staging, mapped);
  return bytes;
}

/** The device keeps integers and truth values in 32 bits. */
function integers(bytes: ArrayBuffer, dtype: TensorData["dtype"]): TypedArray {
  const values = new Int32Array(bytes);
  return dtype === "bool" ? Uint8Array.from(values) : values;
}

/** The backend's constructor asks whether there is a `navigator.gpu`, and for nothing of it; Node 20 has no navigator at all. */
function withNavigator<T>(navigator: object, build: () => T): T {
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: navigator, configurable: true });
  try {
    return build();
  } finally {
    if (before === undefined) Reflect.deleteProperty(globalThis, "navigator");
    else Object.defineProperty(globalThis, "navigator", before);
  }
}
