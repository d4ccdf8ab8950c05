import { beforeAll, describe, expect, test } from "vitest";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { isOutOfMemory } from "../../../../worker/engine/engine.ts";
import { loadBackend } from "../../../../worker/engine/backends.ts";
import { WasmHeap } from "../../../../worker/engine/wasm/heap.ts";

let tf: Tf;
beforeAll(async () => {
  tf = (await loadBackend("wasm")).tf;
});

/** Numbers of 256 MiB: none of them is ever touched, so no memory is. */
const LARGE = 2 ** 26;

/** Takes tensors until none is left; gives them with the error that ended it. */
function exhaust(heap: WasmHeap): { readonly taken: readonly Tensor[]; readonly error: unknown } {
  const taken: Tensor[] = [];
  for (let i = 0; i < 64; i += 1) {
    try {
      taken.push(tf.engine().makeTensorFromTensorInfo(heap.output([LARGE])));
    } catch (error) {
      return { taken, error };
    }
  }
  return { taken, error: undefined };
}

describe("an allocation that fails", () => {
  test("is an error that the engine knows, in TensorFlow.js's own tensors, in ours and in scratch", () => {
    const heap = new WasmHeap(tf);
    const { taken, error } = exhaust(heap);
    expect(taken.length).toBeGreaterThan(8);
    expect(error).toMatchObject({ code: "out-of-memory", message: expect.stringContaining(`${4 * LARGE} bytes`) });
    const before = tf.memory().numTensors;
    for (const attempt of [
      () => tf.add(taken[0]!, taken[0]!),
      () => tf.tidy(() => tf.tile(taken[0]!, [2])),
      () => heap.scratch(4 * LARGE),
    ]) {
      let thrown: unknown;
      try {
        attempt();
      } catch (caught) {
        thrown = caught;
      }
      expect(isOutOfMemory(thrown)).toBe(true);
    }
    expect(tf.memory().numTensors).toBe(before);
    tf.dispose([...taken]);
  });

  test("leaves tensors as they are, and memory that is given back is used again", () => {
    const heap = new WasmHeap(tf);
    const [a, b] = [tf.tensor2d([1, 2, 3, 4], [2, 2]), tf.tensor2d([5, 6, 7, 8], [2, 2])];
    const { taken } = exhaust(heap);
    tf.dispose([...taken]);
    expect(Array.from(tf.matMul(a, b).dataSync())).toEqual([19, 22, 43, 50]);
    expect(Array.from(a.dataSync())).toEqual([1, 2, 3, 4]);
    expect(heap.scratch(4 * LARGE)).toBeGreaterThan(0);
    tf.dispose([a, b]);
  });

  test("is told of a tensor whose size has more than 32 bits, which an address cannot have", () => {
    const heap = new WasmHeap(tf);
    expect(() => heap.output([2 ** 30 + 8])).toThrow(expect.objectContaining({ code: "out-of-memory" }));
    expect(() => heap.scratch(2 ** 32 + 64)).toThrow(expect.objectContaining({ code: "out-of-memory" }));
  });
});
