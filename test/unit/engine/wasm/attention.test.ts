import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mixHeads } from "../../../../src/catalogue/architecture/attention.ts";
import type { Tensor, Tensor3D, Tf } from "../../../../src/catalogue/entry.ts";
import { bitsOf, normals } from "../../../support/stacked.ts";
import { openBuild, WASM_BUILDS, withoutOwnKernels } from "../../../support/wasm-builds.ts";

interface Shape {
  readonly members: number;
  readonly rows: number;
  readonly context: number;
  readonly heads: number;
  /** Of a head. */
  readonly size: number;
}

interface Given {
  readonly qkv: Float32Array;
  readonly dy: Float32Array;
}

const drawn = ({ members, rows, context, heads, size }: Shape, std = 1): Given => ({
  qkv: normals("qkv", members * rows * context * heads * size * 3, std),
  dy: normals("dy", members * rows * context * heads * size),
});

/** One head of one row: where its number (t, i) of queries, keys, values and outputs stands. */
interface Head {
  readonly q: (t: number, i: number) => number;
  readonly k: (t: number, i: number) => number;
  readonly v: (t: number, i: number) => number;
  readonly y: (t: number, i: number) => number;
}

function headsOf({ members, rows, context, heads, size }: Shape): readonly Head[] {
  const width = heads * size;
  return Array.from({ length: members * rows * heads }, (_, index) => {
    const [n, h] = [Math.floor(index / heads), index % heads];
    const at = (part: number) => (t: number, i: number) => (n * context + t) * 3 * width + part * width + h * size + i;
    return { q: at(0), k: at(1), v: at(2), y: (t, i) => (n * context + t) * width + h * size + i };
  });
}

const range = (length: number): readonly number[] => Array.from({ length }, (_, i) => i);
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** The equations in float64. */
function reference(shape: Shape, { qkv, dy }: Given) {
  const { context, size } = shape;
  const [y, dQkv] = [new Float64Array(dy.length), new Float64Array(qkv.length)];
  const [dims, scale] = [range(size), 1 / Math.sqrt(size)];
  for (const { q, k, v, y: out } of headsOf(shape)) {
    for (const t of range(context)) {
      const seen = range(t + 1);
      const scores = seen.map((u) => scale * total(dims.map((i) => qkv[q(t, i)]! * qkv[k(u, i)]!)));
      const top = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - top));
      const p = powers.map((power) => power / total(powers));
      const dp = seen.map((u) => total(dims.map((i) => dy[out(t, i)]! * qkv[v(u, i)]!)));
      const mean = total(seen.map((u) => p[u]! * dp[u]!));
      for (const u of seen)
        for (const i of dims) {
          const ds = scale * p[u]! * (dp[u]! - mean);
          y[out(t, i)]! += p[u]! * qkv[v(u, i)]!;
          dQkv[v(u, i)]! += p[u]! * dy[out(t, i)]!;
          dQkv[q(t, i)]! += ds * qkv[k(u, i)]!;
          dQkv[k(u, i)]! += ds * qkv[q(t, i)]!;
        }
    }
  }
  return { y, dQkv };
}

describe.each(WASM_BUILDS)("attention in one kernel, %s", (build) => {
  let tf: Tf;
  let close: () => void;
  beforeAll(async () => {
    ({ tf, close } = await openBuild(build));
  });
  afterAll(() => close());

  function run({ members, rows, context, heads, size }: Shape, { qkv, dy }: Given) {
    return tf.tidy(() => {
      const width = heads * size;
      const apply = (x: Tensor): Tensor => mixHeads(tf, x as Tensor3D, { context, heads, width });
      const { value, grad } = tf.valueAndGrad(apply)(
        tf.tensor3d(qkv, [members, rows * context, 3 * width]),
        tf.tensor3d(dy, [members, rows * context, width]),
      );
      return { y: value.dataSync<"float32">(), dQkv: grad.dataSync<"float32">() };
    });
  }

  /**
   * Of the largest number. A score is a sum of `size` terms of order 1 and errs by some 2^-24 of it, which the exponential
   * passes on; sums over the context add a few more: 1e-6 is seen, a term that is missing or misplaced makes 1e-2.
   */
  const RELATIVE = 1e-5;
  function expectClose(shape: Shape, std = 1): void {
    const given = drawn(shape, std);
    const [ours, expected] = [run(shape, given), reference(shape, given)];
    for (const name of ["y", "dQkv"] as const) {
      const largest = expected[name].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(ours[name]).toHaveLength(expected[name].length);
      // Not "no error is above": a NaN has to fail.
      const isClose = (value: number, i: number): boolean => Math.abs(value - expected[name][i]!) <= RELATIVE * largest;
      const wrong = ours[name].findIndex((value, i) => !isClose(value, i));
      expect(wrong, `${name} ${JSON.stringify(shape)}: ${ours[name][wrong]} for ${expected[name][wrong]}`).toBe(-1);
    }
  }

  test("agrees with float64 for every context up to 17, forward and back", () => {
    for (let context = 1; context <= 17; context += 1) expectClose({ members: 2, rows: 2, context, heads: 2, size: 4 });
    for (const context of [31, 32, 33]) expectClose({ members: 1, rows: 1, context, heads: 1, size: 8 });
  });

  test("agrees with float64 for heads of every size up to nine", () => {
    for (let size = 1; size <= 9; size += 1)
      for (const heads of [1, 3]) expectClose({ members: 2, rows: 1, context: 6, heads, size });
  });

  test("agrees with float64 over random shapes, and where one score outweighs all others", () => {
    const small = fc.integer({ min: 1, max: 3 });
    const shapes = fc.record({
      members: small,
      rows: small,
      context: fc.integer({ min: 1, max: 40 }),
      heads: small,
      size: fc.integer({ min: 1, max: 20 }),
    });
    fc.assert(fc.property(shapes, fc.constantFrom(0.1, 1, 3), expectClose), { numRuns: 40, seed: 1 });
  });

  test("agrees with TensorFlow.js's own operations, forward and back", () => {
    const shape = { members: 3, rows: 4, context: 13, heads: 3, size: 5 };
    const given = drawn(shape);
    const [ours, plain] = [run(shape, given), withoutOwnKernels(tf, () => run(shape, given))];
    for (const name of ["y", "dQkv"] as const) {
      expect(ours[name]).toHaveLength(plain[name].length);
      ours[name].forEach((value, i) => expect(Math.abs(value - plain[name][i]!)).toBeLessThan(1e-5));
    }
  });

  test("a member has the bits that it has alone, at any place, whatever the memory held before", () => {
    for (const [context, heads, size] of [
      [5, 2, 3],
      [8, 1, 8],
      [19, 2, 5],
    ] as const) /* prettier-ignore */ {
      const shape = { members: 5, rows: 2, context, heads, size };
      const given = drawn(shape);
      const fused = run(shape, given);
      for (let m = 0; m < shape.members; m += 1) {
        const part = (values: Float32Array): Float32Array =>
          values.slice((m * values.length) / shape.members, ((m + 1) * values.length) / shape.members);
        const own = { qkv: part(given.qkv), dy: part(given.dy) };
        const one = { ...shape, members: 1 };
        run(one, { qkv: own.qkv.map(() => Number.NaN), dy: own.dy });
        const alone = run(one, own);
        for (const name of ["y", "dQkv"] as const) expect(bitsOf(alone[name])).toEqual(bitsOf(part(fused[name])));
      }
    }
  });

  test("a position's bits depend on nothing after it, and its gradients on no output before it", () => {
    const shape = { members: 1, rows: 1, context: 21, heads: 2, size: 4 };
    const width = shape.heads * shape.size;
    const given = drawn(shape);
    const before = run(shape, given);
    for (let t = 1; t < shape.context; t += 1) {
      const later = run(shape, { ...given, qkv: given.qkv.map((value, i) => (i < t * 3 * width ? value : 3 - value)) });
      expect(bitsOf(later.y.slice(0, t * width))).toEqual(bitsOf(before.y.slice(0, t * width)));
      expect(bitsOf(later.y.slice(t * width))).not.toEqual(bitsOf(before.y.slice(t * width)));
      const early = run(shape, { ...given, dy: given.dy.map((value, i) => (i < t * width ? 0 : value)) });
      // Query, key and value of a position act on the outputs from it on alone.
      expect(early.dQkv.slice(t * 3 * width)).toEqual(before.dQkv.slice(t * 3 * width));
    }
  });

  test("one row's NaN and infinity stay its own", () => {
    const shape = { members: 3, rows: 2, context: 6, heads: 2, size: 4 };
    const [given, size] = [drawn(shape), 6 * 8];
    const expected = run(shape, given);
    const wild = given.qkv.slice();
    wild[3 * size] = Number.NaN;
    wild[3 * (4 * size)] = Number.POSITIVE_INFINITY;
    const results = run(shape, { ...given, qkv: wild });
    const isSane = (row: number): boolean => row !== 1 && row !== 4;
    for (let row = 0; row < 6; row += 1) {
      const rowOf = (y: Float32Array): Float32Array => y.slice(row * size, (row + 1) * size);
      if (isSane(row)) expect(bitsOf(rowOf(results.y))).toEqual(bitsOf(rowOf(expected.y)));
      // A query of NaN: the first head of the first position, and nothing else, does not know where to look.
      if (row === 1) expect([...rowOf(results.y)].map(Number.isNaN)).toEqual(range(size).map((i) => i < shape.size));
    }
    expect(results.dQkv.slice(0, 3 * size)).toEqual(expected.dQkv.slice(0, 3 * size));
  });

  test("scores of any size make probabilities: equal ones share, and the largest takes all", () => {
    const shape = { members: 1, rows: 1, context: 5, heads: 1, size: 1 };
    // By position: query, key, value.
    const rows = [[1e19, 0, 1], [1e19, 0, 2], [1e19, 0, 4], [1e19, 1e19, 8], [1e19, -1e19, 16]]; // prettier-ignore
    const { y, dQkv } = run(shape, { qkv: Float32Array.from(rows.flat()), dy: new Float32Array(5).fill(1) });
    expect(y.slice(0, 2)).toEqual(Float32Array.of(1, 1.5));
    expect(y[2]).toBeCloseTo(7 / 3, 6);
    expect(y.slice(3)).toEqual(Float32Array.of(8, 8));
    expect(dQkv.every(Number.isFinite)).toBe(true);
  });

  test("no rows and no members give nothing", () => {
    for (const [members, rows] of [
      [2, 0],
      [0, 2],
    ] as const) /* prettier-ignore */ {
      const shape = { members, rows, context: 4, heads: 2, size: 3 };
      const { y, dQkv } = run(shape, drawn(shape));
      expect([y.length, dQkv.length]).toEqual([0, 0]);
    }
  });
});
