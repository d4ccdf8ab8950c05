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
  /** Of inputs and outputs, those that calls which go together have in common; none if left out. */
  readonly shared?: readonly string[];
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

  constructor(tf: Tf, backend: WebgpuBackend, constants: ConstantBuffers, limits = backend.device.limits) {
    this.#tf = tf;
    this.backend = backend;
    this.#constants = constants;
    this.mostBindings = limits["maxStorageBuffersPerShaderStage"]!;
    this.#mostGroups = limits["maxComputeWorkgroupsPerDimension"]!;
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

  /** Records a program for each of these calls, as many in one dispatch as the device has bindings for. */
  run(program: OwnProgram, calls: readonly OwnCall[]): void {
    const shared = program.shared?.length ?? 0;
    const own = Object.keys(program.inputs).length + program.outputs.length - shared;
    const most = Math.floor((this.mostBindings - shared) / own);
    const some = calls.filter(({ groups }) => groups > 0);
    for (let from = 0; from < some.length; from += most) this.#record(program, some.slice(from, from + most));
  }

  #record(program: OwnProgram, calls: readonly OwnCall[]): void {
    const { backend } = this;
    const { pipeline, layout } = this.#compile(program, calls.length);
    const copies: TensorInfo[] = [];
    const tensors = bindingsOf(program, calls.length).map(({ name, word, call }): TensorInfo => {
      const { inputs, outputs } = calls[call]!;
      const given = inputs[name] ?? outputs[program.outputs.indexOf(name)]!;
      if (word !== "f32" || this.backend.tensorMap.get(given.dataId).dtype === "float32") return given;
      return copies[copies.push(this.#floats(given)) - 1]!;
    });
    const buffers = tensors.map(({ dataId }) => this.#bufferOf(dataId));
    const numbers = calls.flatMap(({ sizes, groups }) => [...program.sizes.map((name) => sizes[name]!), groups]);
    const entries = [...buffers, this.#constants.words(numbers)].map((buffer, binding) => ({ binding, resource: { buffer } })); // prettier-ignore
    const bindGroup = backend.device.createBindGroup({ layout, entries });
    for (const { dataId } of tensors) backend.commandQueueOwnedIds.add(dataId);
    backend.ensureCommandEncoderReady();
    const pass = (backend.computePassEncoder ??= backend.commandEncoder.beginComputePass({}));
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    pass.dispatchWorkgroups(...this.#grid(calls.reduce((sum, { groups }) => sum + groups, 0)));
    backend.dispatchCountInPass += 1;
    for (const copy of copies) this.release(copy);
    if (backend.dispatchCountInPass < this.#tf.env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE")) return;
    backend.endComputePassEncoder();
    backend.submitQueue();
  }

  /**
   * A copy in float32. TensorFlow.js takes integers and truth values for float32 by name alone, and leaves them as they are on
   * the device.
   */
  #floats(tensor: TensorInfo): TensorInfo {
    const copy = this.output(tensor.shape);
    this.run(TO_FLOAT, [forEach(sizeOf(tensor.shape), { inputs: { x: tensor }, outputs: [copy], sizes: {} })]);
    return copy;
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

  #compile(program: OwnProgram, calls: number): Compiled {
    const name = `${program.name} x ${calls}`;
    const known = this.#compiled.get(name);
    if (known !== undefined) return known;
    const { device } = this.backend;
    const module = device.createShaderModule({ code: sourceOf(program, calls), label: `occam ${name}` });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "start" } });
    const compiled = { pipeline, layout: pipeline.getBindGroupLayout(0) };
    this.#compiled.set(name, compiled);
    return compiled;
  }
}

/** A call with one invocation for each of `count` elements, which the program knows as `sizes.count`. */
export function forEach(count: number, call: Omit<OwnCall, "groups">): OwnCall {
  return { ...call, sizes: { ...call.sizes, count }, groups: Math.ceil(count / LANES) };
}

interface Binding {
  readonly name: string;
  readonly word: Word;
  readonly isOutput: boolean;
  /** Whose it is; the first call's if shared. */
  readonly call: number;
  readonly isShared: boolean;
}

/** In the order of their numbers: what is shared, then call by call. */
function bindingsOf({ inputs, outputs, shared = [] }: OwnProgram, calls: number): readonly Binding[] {
  const names = [...Object.entries(inputs), ...outputs.map((name) => [name, "f32"] as const)];
  const of = (call: number, isShared: boolean): Binding[] =>
    names
      .filter(([name]) => shared.includes(name) === isShared)
      .map(([name, word]) => ({ name, word, isOutput: outputs.includes(name), call, isShared }));
  return [...of(0, true), ...Array.from({ length: calls }, (_, call) => of(call, false)).flat()];
}

/** The code once a call, its names with the call's number behind them: a workgroup's number says which it works for. */
function sourceOf(program: OwnProgram, calls: number): string {
  const { sizes, lanes, code } = program;
  const every = Array.from({ length: calls }, (_, call) => call);
  const bindings = bindingsOf(program, calls);
  const variables = bindings.map(({ name, word, isOutput, call, isShared }, binding) => {
    const access = isOutput ? "read_write" : "read";
    return `@group(0) @binding(${binding}) var<storage, ${access}> ${isShared ? name : `${name}_${call}`} : array<${word}>;`;
  });
  const numbers = every.flatMap((call) => [...sizes, "groups"].map((name) => `${name}_${call} : u32, `));
  return /* wgsl */ `
struct Sizes { ${numbers.join("")} }
${variables.join("\n")}
@group(0) @binding(${bindings.length}) var<uniform> sizes : Sizes;
${every.map((call) => codeOf(code, bindings, call)).join("\n")}
@compute @workgroup_size(${lanes})
fn start(@builtin(workgroup_id) place : vec3<u32>, @builtin(num_workgroups) grid : vec3<u32>,
         @builtin(local_invocation_index) lane : u32) {
  var group = place.y * grid.x + place.x;
  ${every.map((call) => `if (group < sizes.groups_${call}) { work_${call}(group, lane); return; } group = group - sizes.groups_${call};`).join("\n")}
}`;
}

function codeOf(code: string, bindings: readonly Binding[], call: number): string {
  const declared = [...code.matchAll(/(?:fn|struct|var<workgroup>) (\w+)/g)].map(([, name]) => name!);
  const names = new Set([...declared, ...bindings.filter(({ isShared }) => !isShared).map(({ name }) => name)]);
  return code
    .replace(/\bsizes\.(\w+)/g, `sizes.$1_${call}`)
    .replace(/(?<![.\w])[A-Za-z]\w*/g, (name) => (names.has(name) ? `${name}_${call}` : name));
}
