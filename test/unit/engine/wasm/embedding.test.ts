import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { embed } from "../../../../src/catalogue/architecture/embedding.ts";
import type { Tensor, Tf } from "../../../../src/catalogue/entry.ts";
import { fillIntegers, fold, rootKey } from "../../../../src/core/random.ts";
import { bitsOf, normals } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

interface Shape {
  readonly members: number;
  readonly rows: number;
  readonly context: number;
  readonly vocabulary: number;
  readonly width: number;
}

interface Given {
  readonly ids: Float32Array;
  readonly table: Float32Array;
  readonly positions: Float32Array;
  readonly dy: Float32Array;
}

function drawn({ members, rows, context, vocabulary, width }: Shape): Given {
  const draws = new Int32Array(members * rows * context);
  fillIntegers(fold(rootKey("embedding-test"), "ids"), { a: 0, b: 0 }, vocabulary, draws);
  return {
    ids: Float32Array.from(draws),
    table: normals("table", members * vocabulary * width),
    positions: normals("positions", members * context * width),
    dy: normals("dy", members * rows * context * width),
  };
}

/** In float32, one addition after the other in the order of the rows, as the kernel promises. */
function reference({ members, rows, context, vocabulary, width }: Shape, { ids, table, positions, dy }: Given) {
  const y = new Float32Array(dy.length);
  const [dTable, dPositions] = [new Float32Array(table.length), new Float32Array(positions.length)];
  for (let m = 0; m < members; m += 1)
    for (let b = 0; b < rows; b += 1)
      for (let t = 0; t < context; t += 1)
        for (let d = 0; d < width; d += 1) {
          const token = (m * rows + b) * context + t;
          const id = ids[token]!;
          const [at, place] = [token * width + d, (m * context + t) * width + d];
          const isToken = id >= 0 && id < vocabulary;
          const row = (m * vocabulary + id) * width + d;
          y[at] = (isToken ? table[row]! : 0) + positions[place]!;
          dPositions[place]! += dy[at]!;
          if (isToken) dTable[row]! += dy[at]!;
        }
  return { y, dTable, dPositions };
}

describe.each(WASM_BUILDS)("an embedding in one kernel, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  function run({ members, rows, context, vocabulary, width }: Shape, { ids, table, positions, dy }: Given) {
    return tf.tidy(() => {
      const input = tf.tensor3d(ids, [members, rows, context]);
      const apply = (...leaves: Tensor[]): Tensor => embed(tf, input, leaves[0]!, leaves[1]!);
      const leaves = [
        tf.tensor3d(table, [members, vocabulary, width]),
        tf.tensor3d(positions, [members, context, width]),
      ];
      const { value, grads } = tf.valueAndGrads(apply)(leaves, tf.tensor3d(dy, [members, rows * context, width]));
      return {
        y: value.dataSync<"float32">(),
        dTable: grads[0]!.dataSync<"float32">(),
        dPositions: grads[1]!.dataSync<"float32">(),
      };
    });
  }

  const NAMES = ["y", "dTable", "dPositions"] as const;

  test("puts out and sums, bit for bit, what float32 additions in the order of the rows give", () => {
    for (const width of [1, 2, 3, 4, 5, 7, 8, 9, 31, 33])
      for (const [members, rows, context, vocabulary] of [
        [1, 1, 1, 1],
        [3, 4, 5, 3],
        [2, 7, 2, 20],
      ] as const) /* prettier-ignore */ {
        const shape = { members, rows, context, vocabulary, width };
        const given = drawn(shape);
        const [ours, expected] = [run(shape, given), reference(shape, given)];
        for (const name of NAMES) expect(bitsOf(ours[name]), `${name} at width ${width}`).toEqual(bitsOf(expected[name]));
      }
  });

  test("agrees with TensorFlow.js's own operations", () => {
    const shape = { members: 3, rows: 9, context: 6, vocabulary: 5, width: 10 };
    const given = drawn(shape);
    const [ours, plain] = [run(shape, given), withoutOwnKernels(tf, () => run(shape, given))];
    for (const name of NAMES)
      ours[name].forEach((value, i) => expect(Math.abs(value - plain[name][i]!)).toBeLessThan(1e-5));
  });

  test("an id that is no token has its position's part alone, as its one-hot code would", () => {
    const shape = { members: 2, rows: 1, context: 4, vocabulary: 3, width: 5 };
    const given = { ...drawn(shape), ids: Float32Array.from([-1, 3, Number.NaN, 1e30, 0, 1, 2, Infinity]) };
    const [ours, expected] = [run(shape, given), reference(shape, given)];
    for (const name of NAMES) expect([...ours[name]], name).toEqual([...expected[name]]);
  });

  test("a token's NaN stays where the token stands", () => {
    const shape = { members: 2, rows: 2, context: 3, vocabulary: 4, width: 6 };
    const given = { ...drawn(shape), ids: Float32Array.from([0, 1, 2, 3, 0, 1, 0, 0, 0, 0, 0, 0]) };
    given.table.fill(Number.NaN, 6, 12);
    const { y } = run(shape, given);
    const rows = Array.from({ length: 12 }, (_, token) => y.slice(token * 6, (token + 1) * 6).every(Number.isNaN));
    expect(rows).toEqual([false, true, false, false, false, true, ...Array.from({ length: 6 }, () => false)]);
  });

  test("no rows give nothing, and gradients of zero", () => {
    const shape = { members: 2, rows: 0, context: 3, vocabulary: 4, width: 6 };
    const { y, dTable, dPositions } = run(shape, drawn(shape));
    expect(y).toHaveLength(0);
    expect([...dTable, ...dPositions]).toEqual(Array.from({ length: 2 * (4 + 3) * 6 }, () => 0));
  });
});
