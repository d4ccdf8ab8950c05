/**
 * Compute programs of our own beside those of TensorFlow.js, whose dispatcher makes one tensor a program: ours make several, are
 * compiled once whatever the shapes, and upload nothing for a program whose sizes have been seen before.
 *
 * Programs are recorded into the same pass as the backend's, in its order, and submitted by its rule.
 *
 * Invariants
 * 1. Every tensor of a recorded program is known to the backend as owned by its queue: its buffer is not given away before the
 *    program has been submitted.
 * 2. Outputs are tensors that nobody else has; a program reads no tensor that it writes.
 * 3. A kernel that throws leaves none of its tensors behind.
 */
import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs-core";
import { invariant } from "../../../src/core/errors.ts";
import type { Tf } from "../../../src/catalogue/entry.ts";
import { sizeOf } from "../shape.ts";
import type { ConstantBuffers } from "./constant-buffers.ts";
import type { GpuBuffer } from "./dawn.ts";
import type { BindGroupLayout, ComputePipeline, WebgpuBackend } from "./tfjs-backend.ts";

type Word = "f32" | "i32" | "u32";

export interface OwnProgram {
  /** Tells programs of different code apart. */
  readonly name: string;
  /** What it reads, by name: arrays of words. */
  readonly inputs: Readonly<Record<string, Word>>;
  /** Names of what it writes, arrays of f32. */
  readonly outputs: readonly string[];
  /** Names of its numbers, u32, `sizes.<name>` in the code. */
  readonly sizes: readonly string[];
  /** Invocations of a workgroup. */
  readonly lanes: number;
  /** WGSL with a function `work(group : u32, lane : u32)`. */
  readonly code: string;
}

export interface OwnCall {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  /** In the order of the program's. */
  readonly outputs: readonly TensorInfo[];
  readonly sizes: Readonly<Record<string, number>>;
  /** Workgroups. */
  readonly groups: number;
}

interface Compiled {
  readonly pipeline: ComputePipeline;
  readonly layout: BindGroupLayout;
}

/** Lanes of programs in which each invocation makes one element. */
export const LANES = 64;

const TO_FLOAT: OwnProgram = {
  name: "to-float",
  inputs: { x: "i32" },
  outputs: ["y"],
  sizes: ["count"],
  lanes: LANES,
  code: /* wgsl */ `
fn work(group : u32, lane : u32) {
  let i = group * ${LANES}u + lane;
  if (i < sizes.count) { y[i] = f32(x[i]); }
}`,
};

export class OwnPrograms {
  readonly backend: WebgpuBackend;
  /** Storage buffers that one program may have; a device has at least 8. */
  readonly mostBindings: number;
  readonly #tf: Tf;
  readonly #constants: ConstantBuffers;
  readonly #compiled = new Map<string, Compiled>();
  readonly #mostGroups: number;
  /** Tensors of the kernel under way. */
  #made: TensorInfo[] = [];

  /** @param mostGroups workgroups in one dimension of a dispatch; the device's limit if left out */
  constructor(tf: Tf, backend: WebgpuBackend, constants: ConstantBuffers, mostGroups?: number) {
    this.#tf = tf;
    this.backend = backend;
    this.#constants = constants;
    this.mostBindings = backend.device.limits["maxStorageBuffersPerShaderStage"]!;
    this.#mostGroups = mostGroups ?? backend.device.limits["maxComputeWorkgroupsPerDimension"]!;
  }

  /** Runs one kernel: where it throws, what it made is disposed. */
  attempt<T>(kernel: () => T): T {
    this.#made = [];
    try {
      return kernel();
    } catch (error) {
      for (const { dataId } of this.#made) this.backend.disposeData(dataId);
      throw error;
    } finally {
      this.#made = [];
    }
  }

  /** A new tensor on the device, float32, its numbers undefined. */
  output(shape: readonly number[]): TensorInfo {
    const empty = sizeOf(shape) === 0 ? new Float32Array(0) : undefined;
    const tensor = this.adopt(this.backend.makeTensorInfo([...shape], "float32", empty));
    if (empty === undefined) this.backend.uploadToGPU(tensor.dataId);
    return tensor;
  }

  /** A new tensor of these words; `release` it after the last program that reads it. */
  upload(values: Float32Array | Int32Array): TensorInfo {
    const dtype = values instanceof Float32Array ? "float32" : "int32";
    return this.adopt(this.backend.makeTensorInfo([values.length], dtype, values));
  }

  /** TensorFlow.js's own kernel of this name. */
  shipped(name: string): KernelFunc {
    const kernel = this.#tf.getKernel(name, "webgpu");
    invariant(kernel, `the package has a kernel for ${name}`);
    return kernel.kernelFunc;
  }

  /** Takes in a tensor that another kernel has made for this one. */
  adopt(tensor: TensorInfo): TensorInfo {
    this.#made.push(tensor);
    return tensor;
  }

  release({ dataId }: TensorInfo): void {
    this.#made = this.#made.filter((tensor) => tensor.dataId !== dataId);
    this.backend.disposeData(dataId);
  }

  /** A tensor's numbers; at no cost where they never were on the device. */
  valuesOf({ dataId }: TensorInfo): ArrayLike<number> {
    const values = this.backend.readSync(dataId);
    invariant(values, "a tensor has numbers");
    return values;
  }

  /** Records a program with one invocation for each of `count` elements; it has `sizes.count`. */
  runEach(program: OwnProgram, count: number, call: Omit<OwnCall, "groups">): void {
    this.run(program, { ...call, sizes: { ...call.sizes, count }, groups: Math.ceil(count / program.lanes) });
  }

  run(program: OwnProgram, { inputs, outputs, sizes, groups }: OwnCall): void {
    if (groups === 0) return;
    const { backend } = this;
    const { pipeline, layout } = this.#compile(program);
    const given = Object.entries(program.inputs).map(([name, word]) => this.#asWords(inputs[name]!, word));
    const tensors = [...given.map(({ tensor }) => tensor), ...outputs];
    const buffers = tensors.map(({ dataId }) => this.#bufferOf(dataId));
    const numbers = this.#constants.words([...program.sizes.map((name) => sizes[name]!), groups]);
    const entries = [...buffers, numbers].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const bindGroup = backend.device.createBindGroup({ layout, entries });
    for (const { dataId } of tensors) backend.commandQueueOwnedIds.add(dataId);
    backend.ensureCommandEncoderReady();
    const pass = (backend.computePassEncoder ??= backend.commandEncoder.beginComputePass({}));
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...this.#grid(groups));
    backend.dispatchCountInPass += 1;
    for (const { tensor, isCopy } of given) if (isCopy) this.release(tensor);
    if (backend.dispatchCountInPass < this.#tf.env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE")) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  /**
   * A tensor as the program reads it. TensorFlow.js takes integers and truth values for float32 by name alone and leaves them as
   * they are on the device: those are copied.
   */
  #asWords(tensor: TensorInfo, word: Word): { readonly tensor: TensorInfo; readonly isCopy: boolean } {
    const isFloat = this.backend.tensorMap.get(tensor.dataId).dtype === "float32";
    if (isFloat || word !== "f32") return { tensor, isCopy: false };
    const copy = this.output(tensor.shape);
    this.runEach(TO_FLOAT, sizeOf(tensor.shape), { inputs: { x: tensor }, outputs: [copy], sizes: {} });
    return { tensor: copy, isCopy: true };
  }

  #bufferOf(dataId: object): GpuBuffer {
    this.backend.uploadToGPU(dataId);
    return this.backend.tensorMap.get(dataId).resource!;
  }

  /** As few rows of workgroups as the device's limit of one dimension allows, and then as short as will do. */
  #grid(groups: number): readonly [number, number] {
    const rows = Math.ceil(groups / this.#mostGroups);
    invariant(rows <= this.#mostGroups, "a program of more workgroups than any memory has numbers for");
    return [Math.ceil(groups / rows), rows];
  }

  #compile(program: OwnProgram): Compiled {
    const known = this.#compiled.get(program.name);
    if (known !== undefined) return known;
    const { device } = this.backend;
    const module = device.createShaderModule({ code: sourceOf(program), label: `occam ${program.name}` });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "start" } });
    const compiled = { pipeline, layout: pipeline.getBindGroupLayout(0) };
    this.#compiled.set(program.name, compiled);
    return compiled;
  }
}

function sourceOf({ inputs, outputs, sizes, lanes, code }: OwnProgram): string {
  const read = Object.entries(inputs).map(([name, word]) => `var<storage, read> ${name} : array<${word}>;`);
  const written = outputs.map((name) => `var<storage, read_write> ${name} : array<f32>;`);
  const variables = [...read, ...written, "var<uniform> sizes : Sizes;"];
  return /* wgsl */ `
struct Sizes { ${[...sizes, "groups"].map((name) => `${name} : u32, `).join("")} }
${variables.map((variable, binding) => `@group(0) @binding(${binding}) ${variable}`).join("\n")}
${code}
@compute @workgroup_size(${lanes})
fn start(@builtin(workgroup_id) place : vec3<u32>, @builtin(num_workgroups) grid : vec3<u32>,
         @builtin(local_invocation_index) lane : u32) {
  let group = place.y * grid.x + place.x;
  if (group < sizes.groups) { work(group, lane); }
}`;
}
