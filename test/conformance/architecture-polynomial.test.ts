/** The polynomial's features: their number, their values, and the measures that the bases are orthonormal for. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { polynomial } from "../../src/catalogue/architecture/polynomial.ts";
import type { Scalar, Task } from "../../src/catalogue/entry.ts";

type PolynomialConfig = Parameters<typeof polynomial.preparedSize>[0];

function configOf(fields: Record<string, Scalar>): PolynomialConfig {
  return { kind: "polynomial", ...polynomial.schema.parse(fields) } as PolynomialConfig;
}

function taskOf(input: Task["input"]): Task {
  return { input, output: { kind: "values", values: 1 }, trainRows: 1, testRows: 1 };
}

const vector = (size: number): Task => taskOf({ kind: "vector", size });
const tokens = (context: number, vocabulary: number): Task => taskOf({ kind: "tokens", context, vocabulary });

/** Features of each row, as plain arrays. */
function featuresOf(config: PolynomialConfig, task: Task, rows: readonly (readonly number[])[]): number[][] {
  const prepared = polynomial.prepare!(config, task, Float32Array.from(rows.flat()), rows.length);
  const size = polynomial.preparedSize(config, task);
  expect(prepared.length).toBe(rows.length * size);
  return rows.map((_, row) => [...prepared.subarray(row * size, (row + 1) * size)]);
}

/** Means over weighted rows of the products of all pairs of features. */
function gram(features: readonly (readonly number[])[], weights: readonly number[]): number[][] {
  const size = features[0]!.length;
  return Array.from({ length: size }, (_, a) =>
    Array.from({ length: size }, (_, b) => features.reduce((sum, row, r) => sum + weights[r]! * row[a]! * row[b]!, 0)),
  );
}

function expectIdentity(matrix: readonly (readonly number[])[], tolerance: number): void {
  matrix.forEach((row, a) =>
    row.forEach((value, b) => expect(Math.abs(value - (a === b ? 1 : 0)), `${a}, ${b}`).toBeLessThan(tolerance)),
  );
}

/** All pairs of nodes, for functions of two inputs. */
function squareGrid(nodes: readonly number[], weights: readonly number[]) {
  return {
    rows: nodes.flatMap((x) => nodes.map((y) => [x, y])),
    weights: weights.flatMap((u) => weights.map((v) => u * v)),
  };
}

/** Every multi-index of n exponents with sum <= degree, by counting through all of them. */
function multiIndices(n: number, degree: number, largest: number): number[][] {
  if (n === 0) return [[]];
  return multiIndices(n - 1, degree, largest).flatMap((rest) => {
    const left = degree - rest.reduce((sum, exponent) => sum + exponent, 0);
    return Array.from({ length: Math.min(left, largest) + 1 }, (_, exponent) => [exponent, ...rest]);
  });
}

describe("the terms", () => {
  test("of the monomial basis are all monomials up to the degree, each once", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 5 }), (n, degree) => {
        // Logarithms of distinct primes are independent over the integers: a monomial is told by its value there.
        const point = [2, 3, 5, 7, 11].slice(0, n);
        const config = configOf({ basis: "monomial", degree, normalise: false });
        const [features] = featuresOf(config, vector(n), [point]) as [number[]];
        const expected = multiIndices(n, degree, degree).map((alpha) =>
          alpha.reduce((product, exponent, j) => product * point[j]! ** exponent, 1),
        );
        const ascending = (a: number, b: number): number => a - b;
        expect([...features].sort(ascending)).toEqual(expected.sort(ascending));
      }),
    );
  });

  test("of the walsh basis are the parities of all subsets up to the degree", () => {
    for (let degree = 0; degree <= 5; degree += 1) {
      const config = configOf({ basis: "walsh", degree, normalise: false });
      const cube = Array.from({ length: 16 }, (_, bits) => [0, 1, 2, 3].map((j) => ((bits >> j) & 1 ? 1 : -1)));
      const columns = (rows: number[][]): string[] => rows[0]!.map((_, t) => rows.map((row) => row[t]!).join()).sort();
      const subsets = multiIndices(4, degree, 1);
      const expected = cube.map((x) => subsets.map((set) => set.reduce((sign, inSet, j) => sign * x[j]! ** inSet, 1)));
      expect(columns(featuresOf(config, vector(4), cube))).toEqual(columns(expected));
    }
  });

  test("of tokens in the monomial basis are the conjunctions of tokens at distinct positions", () => {
    const config = configOf({ basis: "monomial", degree: 2, normalise: false });
    const task = tokens(3, 4);
    const features = featuresOf(config, task, [
      [0, 1, 3],
      [2, 2, 2],
    ]);
    // 1 + 3 x 4 + (3 choose 2) x 4 x 4, of which a row satisfies 1 + 3 + 3.
    expect(features[0]).toHaveLength(61);
    for (const row of features) {
      expect(row.every((value) => value === 0 || value === 1)).toBe(true);
      expect(row.filter((value) => value === 1)).toHaveLength(7);
    }
    expect(features[0]!.filter((value, t) => value === 1 && features[1]![t] === 1)).toHaveLength(1);
  });

  test("of tokens in the other bases are parities of one-hot signs", () => {
    for (const basis of ["walsh", "legendre", "chebyshev"]) {
      const config = configOf({ basis, degree: 2, normalise: false });
      const [row] = featuresOf(config, tokens(2, 3), [[0, 2]]) as [number[]];
      // 1 + 6 + (6 choose 2) terms; of the pairs of (1, -1, -1, -1, -1, 1), 1 + (4 choose 2) have product 1.
      expect(row).toHaveLength(22);
      expect(row.slice(1, 7)).toEqual([1, -1, -1, -1, -1, 1]);
      expect(row.slice(7).filter((value) => value === 1)).toHaveLength(7);
    }
  });
});

describe("the basis", () => {
  test("legendre holds the textbook polynomials, normalised", () => {
    const x = 0.3;
    const [row] = featuresOf(configOf({ basis: "legendre", degree: 4, normalise: false }), vector(1), [[x]]) as [
      number[],
    ];
    const z = Math.fround(x);
    const textbook = [1, z, (3 * z ** 2 - 1) / 2, (5 * z ** 3 - 3 * z) / 2, (35 * z ** 4 - 30 * z ** 2 + 3) / 8];
    row.forEach((value, k) => expect(value).toBe(Math.fround(textbook[k]! * Math.sqrt(2 * k + 1))));
  });

  test("chebyshev holds cos k arccos x, normalised", () => {
    const config = configOf({ basis: "chebyshev", degree: 40, normalise: false });
    const [row] = featuresOf(config, vector(1), [[0.3]]) as [number[]];
    row.forEach((value, k) =>
      expect(value).toBeCloseTo((k === 0 ? 1 : Math.SQRT2) * Math.cos(k * Math.acos(Math.fround(0.3))), 6),
    );
  });

  test("chebyshev is orthonormal for the arcsine distribution", () => {
    // Gauss-Chebyshev quadrature, exact for polynomials of degree below 2 x 16.
    const nodes = Array.from({ length: 16 }, (_, i) => Math.cos(((2 * i + 1) * Math.PI) / 32));
    const { rows, weights } = squareGrid(
      nodes,
      nodes.map(() => 1 / 16),
    );
    const config = configOf({ basis: "chebyshev", degree: 6, normalise: false });
    expectIdentity(gram(featuresOf(config, vector(2), rows), weights), 1e-5);
  });

  test("legendre is orthonormal for the uniform distribution", () => {
    // Clenshaw-Curtis quadrature with 24 intervals, exact for polynomials of degree up to 24.
    const n = 24;
    const nodes = Array.from({ length: n + 1 }, (_, i) => Math.cos((i * Math.PI) / n));
    const ends = (i: number): number => (i === 0 || i === n ? 0.5 : 1);
    const quadrature = nodes.map((_, i) => {
      let sum = 0;
      for (let k = 0; k <= n; k += 2) sum += (ends(k) * 2 * Math.cos((k * i * Math.PI) / n)) / (1 - k * k);
      return (ends(i) * sum) / n;
    });
    const { rows, weights } = squareGrid(nodes, quadrature);
    const config = configOf({ basis: "legendre", degree: 6, normalise: false });
    expectIdentity(gram(featuresOf(config, vector(2), rows), weights), 1e-5);
  });

  test("walsh is orthonormal for uniform signs, exactly", () => {
    const cube = Array.from({ length: 32 }, (_, bits) => [0, 1, 2, 3, 4].map((j) => ((bits >> j) & 1 ? 1 : -1)));
    const config = configOf({ basis: "walsh", degree: 5, normalise: false });
    const matrix = gram(
      featuresOf(config, vector(5), cube),
      cube.map(() => 1 / 32),
    );
    expect(matrix).toHaveLength(32);
    expectIdentity(matrix, 1e-15);
  });
});

describe("the scales", () => {
  test("decay a term by its degree", () => {
    const fields = { basis: "monomial", degree: 3, normalise: false };
    const [plain] = featuresOf(configOf(fields), vector(1), [[1]]) as [number[]];
    const [decayed] = featuresOf(configOf({ ...fields, decay: 0.5 }), vector(1), [[1]]) as [number[]];
    expect(plain).toEqual([1, 1, 1, 1]);
    expect(decayed).toEqual([1, 0.5, 0.25, 0.125]);
  });

  test("give standard normal coefficients a function of unit variance when normalised", () => {
    for (const decay of [1, 0.5]) {
      const cube = Array.from({ length: 64 }, (_, bits) => [0, 1, 2, 3, 4, 5].map((j) => ((bits >> j) & 1 ? 1 : -1)));
      const features = featuresOf(configOf({ basis: "walsh", degree: 4, decay }), vector(6), cube);
      // Var f(x) over the coefficients is |features(x)|^2, which for signs is the same at every x.
      for (const row of features) expect(row.reduce((sum, value) => sum + value ** 2, 0)).toBeCloseTo(1, 6);
    }
  });
});

describe("what it refuses", () => {
  test("a basis of more terms than maxFeatures, with their number", () => {
    const config = configOf({ basis: "legendre", degree: 2, maxFeatures: 19_502 });
    const reason = polynomial.unsupported(config, vector(196));
    expect(reason).toContain("19503");
    expect(
      polynomial.unsupported(configOf({ basis: "legendre", degree: 2, maxFeatures: 19_503 }), vector(196)),
    ).toBeUndefined();
  });

  test("a basis whose size no number can hold, at once", () => {
    const config = configOf({ basis: "monomial", degree: 512 });
    expect(polynomial.unsupported(config, vector(10_000))).toContain("terms");
    expect(polynomial.unsupported(config, tokens(300, 60_000))).toContain("terms");
  });

  test("the walsh basis on pixels, and on numbers that are not signs", () => {
    const config = configOf({ basis: "walsh", degree: 2 });
    const image = taskOf({ kind: "image", height: 2, width: 2, channels: 1 });
    expect(polynomial.unsupported(config, image)).toContain("pixels");
    expect(() => featuresOf(config, vector(2), [[1, 0.5]])).toThrow("row 0 has 0.5 at input 1");
  });

  test("to predict at each position", () => {
    const task: Task = { ...tokens(3, 4), output: { kind: "classes", classes: 4, positions: 3 } };
    expect(polynomial.unsupported(configOf({}), task)).toContain("position");
  });
});

test("its coefficients start at zero, or normal with the standard deviation asked for", () => {
  expect(polynomial.parameters(configOf({}), vector(2))[0]!.initial).toEqual({ kind: "constant", value: 0 });
  const drawn = polynomial.parameters(configOf({ initScale: 0.3 }), vector(2))[0]!;
  expect(drawn.initial).toEqual({ kind: "normal", std: 0.3 });
  expect(drawn.shape).toEqual([6, 1]);
});
