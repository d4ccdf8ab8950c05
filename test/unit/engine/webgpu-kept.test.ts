/** What webgpu keeps from step to step, uniforms and bind groups: on devices that are made up. */
import { describe, expect, test } from "vitest";
import { keepBindGroups } from "../../../worker/engine/webgpu/bind-groups.ts";
import { ConstantBuffers } from "../../../worker/engine/webgpu/constant-buffers.ts";
import type { GpuBuffer } from "../../../worker/engine/webgpu/dawn.ts";
import type { BindGroupDescriptor, TfjsUniform, WebgpuBackend } from "../../../worker/engine/webgpu/tfjs-backend.ts";

const buffer = (size = 4): GpuBuffer => ({ size }) as GpuBuffer;

/** A backend that makes a buffer whenever it is asked for one, and counts. */
class MadeUpBackend {
  made = 0;
  readonly writes: number[][] = [];
  uniformPendingDisposal: GpuBuffer[] = [];
  readonly bufferManager = { acquireBuffer: (size: number) => this.#make(size) };
  readonly queue = { writeBuffer: (_: GpuBuffer, __: number, data: Int32Array) => void this.writes.push([...data]) };

  makeUniforms(uniforms: readonly TfjsUniform[]) {
    const made = this.#make(4 * uniforms.flatMap(({ data }) => data).length);
    this.uniformPendingDisposal.push(made);
    return { offset: 0, size: made.size, buffer: made } as const;
  }

  #make(size: number): GpuBuffer {
    this.made += 1;
    return buffer(size);
  }
}

function opened() {
  const backend = new MadeUpBackend();
  const constants = new ConstantBuffers(backend as unknown as WebgpuBackend);
  constants.takeOver();
  return { backend, constants };
}

describe("constant buffers", () => {
  test("are written once and given again for the same words, and those of TensorFlow.js for the same uniforms", () => {
    const { backend, constants } = opened();
    const first = constants.words([1, 2]);
    expect(constants.words([1, 2])).toBe(first);
    expect(constants.words([12])).not.toBe(first);
    expect(backend.writes).toEqual([[1, 2], [12]]);
    const uniforms = [{ type: "float32", data: [0.5] }, { type: "int32", data: [3, 4] }]; // prettier-ignore
    const made = backend.makeUniforms(uniforms);
    expect(backend.makeUniforms(uniforms)).toEqual({ offset: 0, size: 12, buffer: made.buffer });
    expect(backend.made).toBe(3);
    // Kept, so not to be released with the next submit.
    expect(backend.uniformPendingDisposal).toEqual([]);
  });

  test("tell types, shapes, signs of zero and what is not finite apart", () => {
    const { backend } = opened();
    const one = (type: string, data: number[]): TfjsUniform => ({ type, data });
    const different = [
      [one("int32", [1])],
      [one("float32", [1])],
      [one("int32", [1, 2])],
      [one("int32", [1]), one("int32", [2])],
      [one("float32", [0])],
      [one("float32", [-0])],
      [one("float32", [NaN])],
      [one("float32", [Infinity])],
      [one("float32", [-Infinity])],
    ];
    const buffers = new Set(different.map((uniforms) => backend.makeUniforms(uniforms).buffer));
    expect(buffers.size).toBe(different.length);
  });

  test("go back with the next submit, those that were not asked for longest first, once there are very many", () => {
    const { backend, constants } = opened();
    const [kept, dropped] = [constants.words([0]), constants.words([1])];
    for (let i = 2; i < 4096; i += 1) constants.words([i]);
    constants.words([0]);
    expect(backend.uniformPendingDisposal).toEqual([]);
    constants.words([4096]);
    expect(backend.uniformPendingDisposal[0]).toBe(dropped);
    expect(constants.words([0])).toBe(kept);
    expect(constants.words([1])).not.toBe(dropped);
  });
});

describe("bind groups", () => {
  function device() {
    const made = { groups: 0, layouts: 0 };
    const of = {
      limits: {},
      createShaderModule: () => ({}),
      createComputePipeline: () => ({
        getBindGroupLayout: () => {
          made.layouts += 1;
          return { label: "" };
        },
      }),
      createBindGroup: (descriptor: BindGroupDescriptor) => {
        made.groups += 1;
        return { descriptor };
      },
    };
    keepBindGroups(of);
    const pipeline = () => of.createComputePipeline();
    const bind = (from: ReturnType<typeof pipeline>, buffers: readonly GpuBuffer[]): object => {
      const entries = buffers.map((each, binding) => ({ binding, resource: { buffer: each } }));
      return of.createBindGroup({ layout: from.getBindGroupLayout(), entries });
    };
    return { made, pipeline, bind };
  }

  test("are made once for a program and its buffers, whose order counts", () => {
    const { made, pipeline, bind } = device();
    const [one, other] = [pipeline(), pipeline()];
    const [a, b] = [buffer(), buffer()];
    expect(bind(one, [a, b])).toBe(bind(one, [a, b]));
    expect(made).toEqual({ groups: 1, layouts: 2 });
    expect(new Set([bind(one, [a, b]), bind(one, [b, a]), bind(one, [a]), bind(other, [a, b])]).size).toBe(4);
    expect(made).toEqual({ groups: 4, layouts: 2 });
  });

  test("are as many as 8,192 at the most: those that were asked for last", () => {
    const { made, pipeline, bind } = device();
    const one = pipeline();
    const buffers = Array.from({ length: 8193 }, () => buffer());
    for (const each of buffers) bind(one, [each]);
    expect(made.groups).toBe(8193);
    bind(one, [buffers.at(-1)!]);
    bind(one, [buffers[1]!]);
    expect(made.groups).toBe(8193);
    bind(one, [buffers[0]!]);
    expect(made.groups).toBe(8194);
  });
});
