/** What a user may do wrong, and what is said of it. */
import { beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import type { Tensor, Tf } from "../../../src/catalogue/entry.ts";
import { estimateLearningCoefficient, type Engine, type Losses } from "../../../worker/library.ts";
import { openTestEngine } from "../../support/test-backend.ts";

let engine: Engine;
let tf: Tf;
beforeAll(async () => {
  engine = await openTestEngine();
  ({ tf } = engine);
});

let live = 0;
beforeEach(() => (live = engine.memory().tensors));
afterEach(() => expect(engine.memory().tensors, "no tensor is left").toBe(live));

const SAMPLES = 30;
/** 1/2 (w . x_i)^2, x_i = (i + 1, 1) / samples. */
const fine: Losses = ([w], rows) => tf.mul(0.5, tf.square(outputs(w!, rows)));
const outputs = (w: Tensor, rows: Tensor): Tensor => {
  const x = tf.div(tf.add(tf.cast(rows, "float32"), 1), SAMPLES);
  return tf.add(tf.mul(x, tf.slice(w, 0, 1)), tf.div(tf.slice(w, 1, 1), SAMPLES));
};
const WEIGHTS = [{ values: [0.5, -0.25], shape: [2] }];

type Given = Readonly<Record<string, unknown>>;

async function said(more: Given): Promise<string> {
  const request = { engine, losses: fine, weights: WEIGHTS, samples: SAMPLES, budget: 20, chains: 1, ...more };
  const error: unknown = await estimateLearningCoefficient(request as never).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ name: "OccamError", code: "bad-usage" });
  return (error as { toUserText(): string }).toUserText();
}

test("without a mistake an estimate is made", { timeout: 60_000 }, async () => {
  const request = { engine, losses: fine, weights: WEIGHTS, samples: SAMPLES, budget: 20, chains: 1 };
  expect(await estimateLearningCoefficient(request)).toMatchObject({ parameters: 2, n: SAMPLES });
});

describe("a function that does not keep its contract", () => {
  const cases: readonly (readonly [string, (...given: Parameters<Losses>) => unknown, string, string])[] = [
    ["nothing", () => undefined, "losses gave nothing, not a tensor", "return the losses"],
    ["numbers", (_, rows) => [...rows.dataSync()], "losses gave an array", "not numbers read out of one"],
    ["a promise", (...given) => Promise.resolve(fine(...given).dataSync()), "losses gave a promise", "synchronous"],
    ["a mean", (...given) => tf.mean(fine(...given)), "losses gave one number where 30 rows", "the mean over them is taken"],
    ["a column", (...given) => tf.expandDims(fine(...given), 1), "losses gave the shape [30, 1]", "tf.reshape(losses, [-1])"],
    ["outputs", (...given) => tf.stack([fine(...given), fine(...given)], 1), "[30, 2]", "tf.sum(losses, -1)"],
    ["too many", (...given) => tf.tile(fine(...given), [2]), "[60]", "tf.gather(data, rows)"],
    ["integers", (_, rows) => rows, "losses gave int32 numbers", "tf.cast"],
    ["a chained method", ([w]) => (w as unknown as { mul(by: number): Tensor }).mul(2), 'losses threw "w.mul is not', "tf.mul(tensor, ...)"],
    ["a throw", () => tf.matMul(tf.ones([2, 3]), tf.ones([2, 3])), "losses threw", "weights [2] and 30 rows"],
    ["NaN", ([w], rows) => tf.log(tf.sub(outputs(w!, rows), 0.1)), "losses are NaN for sample 0 at the trained", "check that sample"],
    ["a constant", (_, rows) => tf.ones(rows.shape), "losses do not depend on weights[0] ([2])", "not from variables of your own"],
    ["a comparison", (...given) => tf.cast(tf.greater(fine(...given), 0.01), "float32"), "cannot be differentiated", "a likelihood"],
    ["steps", ([w], rows) => tf.round(tf.mul(9, outputs(w!, rows))), "their gradient is 0", "cannot be followed downhill"],
    ["a root", ([w], rows) => tf.add(fine([w!], rows), tf.sqrt(tf.sum(tf.mul(w!, 0)))), "gradient by weights[0] that is not finite", "add a small number"],
    ["a batch's norm", (...given) => tf.sub(fine(...given), tf.mean(fine(...given))), "losses of a sample change with the rows", "no mean, norm or sort"],
    ["all rows, always", ([w]) => fine([w!], tf.range(0, SAMPLES, 1, "int32")), "[30] where 16 rows were asked for", "tf.gather"],
  ]; // prettier-ignore

  test.each(cases)("%s: is told what, where and how to mend it", async (_, losses, what, how) => {
    const text = await said({ losses });
    expect(text).toMatch(/^estimateLearningCoefficient: losses /u);
    expect(text).toContain(what);
    expect(text).toContain(how);
  });

  test("that is random, or leaves tensors behind", async () => {
    let calls = 0;
    const losses: Losses = (weights, rows) => tf.add(fine(weights, rows), (calls += 1));
    expect(await said({ losses })).toContain("losses differ between two calls");
    const kept: Tensor[] = [];
    const leaking: Losses = (weights, rows) => {
      kept.push(tf.keep(tf.scalar(1)));
      return fine(weights, rows);
    };
    expect(await said({ losses: leaking })).toContain("leaves 1 tensor behind at every call");
    tf.dispose(kept);
  });

  test("that has fewer samples than were said", async () => {
    const data = tf.linspace(0, 1, SAMPLES - 1);
    const losses: Losses = (weights, rows) => tf.add(fine(weights, rows), tf.gather(data, rows));
    expect(await said({ losses })).toMatch(/losses (threw ".*index 29|are NaN for sample 29)/u);
    data.dispose();
  });

  test("that leaves one weight out is told which", async () => {
    const weights = [...WEIGHTS, { values: [1, 2, 3], shape: [3, 1] }];
    expect(await said({ weights })).toContain("losses do not depend on weights[1] ([3, 1])");
  });

  test("that gives a tensor which is gone", async () => {
    const losses: Losses = (weights, rows) => {
      const made = fine(weights, rows);
      made.dispose();
      return made;
    };
    expect(await said({ losses })).toContain("gave a tensor that was disposed, or is of another copy of TensorFlow.js");
  });
});

describe("a request that cannot be used", () => {
  test("is told every mistake at once", async () => {
    const text = await said({
      losses: 3,
      samples: 1.5,
      seed: -1,
      signal: {},
      onProgress: "yes",
      weights: [],
      chains: 0,
      chain: 4,
      tier: "a",
      nBeta: Number.NaN,
      gamma: "relativ",
      stepSize: -1,
      refine: true,
      curve: { nBeta: [0, 1], beta: [1] },
      estimand: "loss",
    });
    for (const part of [
      "estimateLearningCoefficient: 16 problems",
      "losses cannot be 3: a function",
      "samples cannot be 1.5: an integer from 2 to 16777216",
      "seed cannot be -1",
      "signal is no AbortSignal",
      "onProgress is no function",
      "weights is no list",
      "chains cannot be 0: an integer from 1 to 64",
      "there is no option chain: did you mean chains?",
      'tier cannot be "a": one of auto, A, B',
      "nBeta cannot be NaN: a number above 0",
      'gamma cannot be "relativ"',
      'did you mean "relative"?',
      "stepSize cannot be -1",
      "refine cannot be true",
      "curve.nBeta cannot be [0,1]",
      "there is no option curve.beta: did you mean curve.nBeta?",
      "there is no option estimand",
    ]) {
      expect(text).toContain(part);
    }
  });

  test.each<readonly [string, unknown, string]>([
    ["no weight", 3, "weights[0] is neither a tensor nor { values, shape }"],
    ["numbers alone", new Float32Array(2), "weights[0] is neither"],
    ["a wrong shape", { values: [1, 2, 3], shape: [2] }, "weights[0] has 3 values, and its shape [2] has 2"],
    ["a strange shape", { values: [1], shape: [1.5] }, "weights[0] has the shape [1.5]"],
    ["an axis too many", { values: [1], shape: [1, 1, 1, 1, 1, 1] }, "weights[0] has 6 axes"],
    ["a weight that is not finite", { values: [1, Number.NaN], shape: [2] }, "weights[0] is NaN at place 1"],
  ])("%s among the weights", async (_, weight, what) => {
    expect(await said({ weights: [weight] })).toContain(what);
  });

  test("a tensor whose data the engine does not have", async () => {
    const own = tf.ones([2]);
    const foreign: unknown = Object.create(own, { dataId: { value: {} } });
    expect(await said({ weights: [foreign] })).toContain("weights[0] is a tensor of another copy of TensorFlow.js");
    own.dispose();
  });

  test("tensors that are gone, integers, or empty", async () => {
    const [gone, integers, empty] = [tf.ones([2]), tf.ones([2], "int32"), tf.ones([0])];
    gone.dispose();
    const text = await said({ weights: [gone, integers, empty] });
    for (const part of ["weights[0] is disposed", "weights[1] is int32", "weights[2] is empty"])
      expect(text).toContain(part);
    tf.dispose([integers, empty]);
  });

  test("an engine that is none, or whose backend is no longer the current one", async () => {
    expect(await said({ engine: tf })).toContain("engine is not what openEngine gave");
    expect(await said({ engine: { ...engine, backend: "other" } })).toContain('not the engine\'s "other"');
  });
});
