/** The webgpu backend on whatever device there is, a software one in CI: reading, rounding, memory, mistakes. */
import { scheduler } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "vitest";
import type { Tensor3D, Tf } from "../../../src/catalogue/entry.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import type { WebgpuBackend } from "../../../worker/engine/webgpu/tfjs-backend.ts";
import { SHAPES, TrainingProgram } from "../../bench/training-program.ts";
import { recordShard } from "../../support/shard-recorder.ts";
import { normals, stack, unstack } from "../../support/stacked.ts";
import { tinyCell } from "../../support/tiny-cells.ts";
import { WEBGPU_MISSING } from "./webgpu-fixture.ts";

interface GpuMemory {
  readonly numTensors: number;
  readonly numDataBuffers: number;
  readonly numBytesInGPU: number;
  readonly numBytesAllocatedInGPU: number;
}

type Counted = Record<string, (...given: never[]) => unknown>;

/** Counts the calls of a method until what it gives back is called, which gives their number. */
function counter(object: Counted, method: string): () => number {
  const before = object[method]!;
  let calls = 0;
  object[method] = (...given) => {
    calls += 1;
    return before.apply(object, given);
  };
  return () => {
    object[method] = before;
    return calls;
  };
}

describe.skipIf(WEBGPU_MISSING !== undefined)(`webgpu (${WEBGPU_MISSING ?? "available"})`, () => {
  let engine: Engine;
  let tf: Tf;
  let backend: WebgpuBackend;
  beforeAll(async () => {
    engine = await openEngine("webgpu");
    tf = engine.tf;
    backend = tf.backend() as unknown as WebgpuBackend;
  });

  const memory = (): GpuMemory => tf.memory() as unknown as GpuMemory;

  describe("opening", () => {
    test("says what it computes on, and leaves the runtime's globals as they were", () => {
      expect(engine).toMatchObject({ backend: "webgpu" });
      expect(engine.device).not.toBe("");
      expect(engine.memoryBudgetBytes).toBeGreaterThanOrEqual(128 * 2 ** 20);
      expect((globalThis as { navigator?: { gpu?: unknown } }).navigator?.gpu).toBeUndefined();
      expect(setImmediate.name).toBe("setImmediate");
    });

    test("once more gives the same device, also after another backend was used", async () => {
      const wasm = await openEngine("wasm");
      expect(wasm.tf.getBackend()).toBe("wasm");
      const again = await openEngine("webgpu");
      expect(again.tf.getBackend()).toBe("webgpu");
      expect(again.tf.backend()).toBe(backend);
    });
  });

  describe("reading", () => {
    test("is possible at once, of every type, and sees what was recorded before", () => {
      tf.tidy(() => {
        const x = tf.tensor([1.5, -2, 3], [3]);
        for (let i = 0; i < 40; i += 1) x.dataSync();
        let sum = tf.zerosLike(x);
        for (let i = 0; i < 40; i += 1) sum = tf.add(sum, x);
        expect(sum.dataSync()).toEqual(Float32Array.of(60, -80, 120));
        expect(tf.cast(sum, "int32").dataSync()).toEqual(Int32Array.of(60, -80, 120));
        expect(tf.greater(sum, 0).dataSync()).toEqual(Uint8Array.of(1, 0, 1));
      });
    });

    test("does not disturb whoever awaits the device at the same time, nor the event loop", async () => {
      const before = memory();
      const turns: string[] = [];
      setImmediate(() => turns.push("the event loop turned"));
      const awaited = Array.from({ length: 8 }, (_, i) => {
        const tensor = tf.tidy(() => tf.mul(tf.ones([100]), i));
        const values = tensor.data();
        expect(tf.tidy(() => tf.add(tensor, 1).dataSync()[99])).toBe(i + 1);
        return values.then((all) => [all[0], tensor.dispose()][0]);
      });
      expect(turns).toEqual([]);
      expect(await Promise.all(awaited)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      await scheduler.yield();
      expect(turns).toEqual(["the event loop turned"]);
      expect(memory().numTensors).toBe(before.numTensors);
    });

    test("numbers that are not finite arrive as they are, so that divergence is seen", () => {
      tf.tidy(() => {
        const overflow = tf.mul(tf.tensor([1e30, -1e30]), 1e30);
        expect([...overflow.dataSync()]).toEqual([Infinity, -Infinity]);
        expect([...tf.sub(overflow, overflow).dataSync()]).toEqual([NaN, NaN]);
        expect(tf.sum(tf.tensor([1, NaN, 2])).dataSync()[0]).toBeNaN();
        expect(tf.matMul(tf.tensor([[NaN, 1]]), tf.tensor([[0], [1]])).dataSync()[0]).toBeNaN();
        expect([...tf.relu(tf.tensor([NaN, -1])).dataSync()]).toEqual([NaN, 0]);
        expect(tf.log(tf.tensor([-1])).dataSync()[0]).toBeNaN();
        expect(tf.exp(tf.tensor([1000])).dataSync()[0]).toBe(Infinity);
      });
    });

    test("a mistake on the device is thrown where results are read, and not again", () => {
      const tooLarge = 2 * engine.memoryBudgetBytes;
      const tensor = tf.tensor([1, 2]);
      const doubled = tf.mul(tensor, 2);
      const device = (backend as unknown as { device: { createBuffer(of: object): { destroy(): void } } }).device;
      device.createBuffer({ size: tooLarge * 2 ** 10, usage: 0x80 }).destroy();
      expect(() => doubled.dataSync()).toThrow(expect.objectContaining({ code: expect.stringMatching(/./) }));
      expect([...doubled.dataSync()]).toEqual([2, 4]);
      tf.dispose([tensor, doubled]);
    });
  });

  describe("numbers", () => {
    test("whole powers are accurate where 1 - beta^t cancels; other powers follow JavaScript's", () => {
      tf.tidy(() => {
        for (const t of [1, 2, 3, 10, 100, 1000]) {
          const betas = [0.99, 0.999, 0.9999].map(Math.fround);
          const powers = tf.pow(tf.tensor(betas), t).dataSync();
          // t roundings of 2^-24 at the most, each of the result's size.
          betas.forEach((beta, i) => expect(Math.abs(powers[i]! / beta ** t - 1)).toBeLessThanOrEqual(t * 2 ** -24));
        }
        const [bases, exponents] = [
          [-2, -2, 2, 0, 4, -3, 9, 0],
          [3, -2, 0.5, 0, -1, 0.5, 1.5, 3],
        ];
        const powers = tf.pow(tf.tensor(bases), tf.tensor(exponents)).dataSync();
        bases.forEach((base, i) => {
          const expected = base ** exponents[i]!;
          if (Number.isNaN(expected)) expect(powers[i]).toBeNaN();
          else expect(Math.abs(powers[i]! - expected)).toBeLessThanOrEqual(2e-6 * Math.abs(expected));
        });
        expect([...tf.pow(tf.tensor([2, 3], [2], "int32"), tf.scalar(2, "int32")).dataSync()]).toEqual([4, 9]);
        expect(tf.pow(tf.tensor([[1, 2, 3]]), tf.tensor([[1], [2]])).arraySync()).toEqual([[1, 2, 3], [1, 4, 9]]); // prettier-ignore
      });
    });

    test.each([
      [3, 5, 7],
      [16, 32, 10],
      [1, 40, 33],
      [64, 2100, 1],
    ])("a product of %i x %i by %i is the same among 40 members, among 2 and alone, and twice", (m, n, p) => {
      const [left, right] = [m * n, n * p].map((size) =>
        Array.from({ length: 40 }, (_, k) => normals(`${size} of ${k}`, size)),
      ) as [Float32Array[], Float32Array[]];
      const product = (members: number) =>
        tf.tidy(() => {
          const a = stack(tf, left.slice(0, members), [m, n]) as Tensor3D;
          const b = stack(tf, right.slice(0, members), [n, p]) as Tensor3D;
          const transposed = tf.matMul(tf.transpose(a, [0, 2, 1]), tf.transpose(b, [0, 2, 1]), true, true);
          return [unstack(tf.matMul(a, b)), unstack(transposed)] as never;
        }) as unknown as readonly (readonly Float32Array[])[];
      const [all, again] = [product(40), product(40)];
      expect(again).toEqual(all);
      for (const members of [1, 2]) {
        product(members).forEach((values, form) => expect(values).toEqual(all[form]!.slice(0, members)));
      }
      // Against double precision: n roundings of the sum of magnitudes at the most.
      const exact = Array.from({ length: n }, (_, i) => left[39]![i]! * right[39]![i * p]!);
      const magnitude = exact.reduce((sum, term) => sum + Math.abs(term), 0);
      expect(Math.abs(all[0]![39]![0]! - exact.reduce((sum, term) => sum + term, 0))).toBeLessThan(n * 2 ** -24 * magnitude); // prettier-ignore
    });
  });

  test("a training step of an MLP is few dispatches, and writes to the device what changes alone", async () => {
    const program = await TrainingProgram.open(engine, SHAPES.mlp, 3);
    const { device, queue } = backend as unknown as { device: Counted; queue: Counted };
    for (let step = 0; step < 3; step += 1) program.step();
    const counted = [counter(device, "createBindGroup"), counter(queue, "writeBuffer")];
    program.step();
    const [dispatches, writes] = counted.map((stop) => stop());
    // 22 where two parameters are updated at once, as 16 bindings allow.
    expect(dispatches).toBeLessThanOrEqual(25);
    // The rows of the minibatches, and the update's numbers.
    expect(writes).toBe(2);
    program.dispose();
  });

  describe("memory", () => {
    /** Two members, a regulariser that draws noise, and an estimate's sampling if there are draws. */
    const cells = (steps: number, draws: number) =>
      [1, 2].map((seed) =>
        tinyCell({
          seed,
          optimizer: { kind: "momentum" },
          regulariser: { kind: "dropout", strength: 0.1 },
          train: { steps, evalEvery: steps },
          ...(draws > 0 && { estimate: { sampler: "sgld", chains: 2, draws, burnIn: 1, batch: 16, kernelRows: 16 } }),
        }),
      );

    /** After everything that was recorded: buffers come back when the commands that use them are submitted. */
    function settled(): readonly number[] {
      tf.tidy(() => tf.add(tf.ones([1]), 1).dataSync());
      const { numTensors, numDataBuffers, numBytesInGPU } = memory();
      return [numTensors, numDataBuffers, numBytesInGPU, backend.bufferManager.getNumUsedBuffers()];
    }

    test("1,000 steps of training leave what 100 leave: the same tensors and their buffers", async () => {
      const left: (readonly number[])[] = [];
      for (const steps of [100, 1000]) {
        const { failed, results } = await recordShard(engine, cells(steps, 0));
        expect([failed.size, results.size]).toEqual([0, 2]);
        left.push(settled().slice(0, 2));
      }
      // The widths that are tried depend on the machine's load, and so do the uniforms that are kept: the next test counts all.
      expect(left[1]).toEqual(left[0]);
    }, 120_000);

    test("1,000 steps more of a program that runs take nothing: not a tensor, a buffer or a byte", async () => {
      const given = { data: { kind: "moons", train: 64, test: 32 }, optimizer: { kind: "adam" } };
      const program = await TrainingProgram.open(engine, given, 3);
      const after = (steps: number): readonly number[] => {
        for (let step = 0; step < steps; step += 1) program.step();
        return [...settled(), memory().numBytesAllocatedInGPU];
      };
      const before = after(100);
      expect(after(1000)).toEqual(before);
      program.dispose();
    }, 120_000);

    test("an estimate leaves no tensor behind", async () => {
      const before = memory();
      const { failed, results } = await recordShard(engine, cells(10, 20));
      expect([failed.size, results.size]).toEqual([0, 2]);
      expect(memory()).toMatchObject({ numTensors: before.numTensors, numDataBuffers: before.numDataBuffers });
    }, 120_000);

    test("tensors of ever other shapes keep no more memory than the budget", async () => {
      const { bufferManager } = backend;
      // A sixteenth of the budget each, as far as the device takes so much in one buffer, and two of every shape.
      const { limits } = (backend as unknown as { device: { limits: Record<string, number> } }).device;
      const length = Math.floor(
        Math.min(engine.memoryBudgetBytes / 64, limits["maxStorageBufferBindingSize"]! / 4 - 24),
      );
      for (let i = 0; i < 24; i += 1) {
        // Filled on the device: a GPU has room for more than this process.
        tf.tidy(() => void tf.add(tf.tile(tf.ones([1]), [length + i]), 1));
        settled();
        expect(bufferManager.numBytesAllocated).toBeLessThanOrEqual(engine.memoryBudgetBytes);
        await scheduler.yield();
      }
      expect(bufferManager.numBytesAllocated).toBeGreaterThan(engine.memoryBudgetBytes / 2);
    }, 120_000);
  });
});
