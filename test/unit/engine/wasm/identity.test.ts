import { expect, test } from "vitest";
import { loadBackend } from "../../../../worker/engine/backends.ts";

test("a clone shares the numbers of its tensor, and either outlives the other", async () => {
  const { tf } = await loadBackend("wasm");
  const before = tf.memory();
  const first = tf.tensor1d([1, Number.NaN, -0]);
  const second = tf.clone(first);
  expect(tf.memory().numDataBuffers - before.numDataBuffers).toBe(1);
  first.dispose();
  expect([...second.dataSync()]).toEqual([1, Number.NaN, -0]);
  const third = tf.clone(second);
  third.dispose();
  expect([...second.dataSync()]).toEqual([1, Number.NaN, -0]);
  second.dispose();
  expect(tf.memory().numTensors).toBe(before.numTensors);
  expect(tf.memory().numDataBuffers).toBe(before.numDataBuffers);
});
