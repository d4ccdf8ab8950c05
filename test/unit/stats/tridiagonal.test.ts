import fc from "fast-check";
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { gaussRule } from "../../../src/stats/tridiagonal.ts";

/** Nodes and weights in ascending order, by another library's eigenvectors. */
function reference(diagonal: readonly number[], beside: readonly number[]): readonly (readonly [number, number])[] {
  const matrix = Matrix.diag([...diagonal]);
  beside.forEach((value, i) => {
    matrix.set(i, i + 1, value);
    matrix.set(i + 1, i, value);
  });
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  return realEigenvalues.map((node, k) => [node, eigenvectorMatrix.get(0, k) ** 2] as const).toSorted(byNode);
}

const byNode = (a: readonly [number, number], b: readonly [number, number]): number => a[0] - b[0];
const number = fc.double({ min: -5, max: 5, noNaN: true });

describe("the Gauss rule of a tridiagonal matrix", () => {
  test("has the eigenvalues and the squared first components of another library", () => {
    const matrices = fc
      .array(fc.tuple(number, fc.double({ min: 0.01, max: 5, noNaN: true })), {
        minLength: 1,
        maxLength: 20,
        size: "max",
      })
      .map((rows) => ({ diagonal: rows.map(([d]) => d), beside: rows.slice(1).map(([, b]) => b) }));
    fc.assert(
      fc.property(matrices, ({ diagonal, beside }) => {
        const { nodes, weights } = gaussRule(diagonal, beside);
        const own = nodes.map((node, k) => [node, weights[k]!] as const).toSorted(byNode);
        reference(diagonal, beside).forEach(([node], k) => expect(own[k]![0]).toBeCloseTo(node, 10));
        expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
        // Of close eigenvalues the weights are not told apart; what the rule integrates is.
        for (const f of [(s: number) => s, (s: number) => Math.exp(s / 5), (s: number) => 1 / (s + 30)]) {
          const sum = (rule: readonly (readonly [number, number])[]): number =>
            rule.reduce((t, [s, w]) => t + w * f(s), 0);
          expect(sum(own)).toBeCloseTo(sum(reference(diagonal, beside)), 9);
        }
      }),
      { seed: 7, numRuns: 100 },
    );
  });

  test("of a matrix of one number is that number", () => {
    expect(gaussRule([3], [])).toEqual({ nodes: [3], weights: [1] });
  });

  test("of a matrix that falls apart knows the first block alone", () => {
    const { nodes, weights } = gaussRule([2, 2, 7, 7], [1, 0, 1]);
    const rule = nodes.map((node, k) => [node, weights[k]!] as const).toSorted(byNode);
    [1, 3, 6, 8].forEach((node, k) => expect(rule[k]![0]).toBeCloseTo(node, 12));
    [0.5, 0.5, 0, 0].forEach((weight, k) => expect(rule[k]![1]).toBeCloseTo(weight, 12));
  });

  test("of Legendre's recurrence is Gauss and Legendre's quadrature of three points", () => {
    const beside = [1, 2].map((k) => k / Math.sqrt(4 * k * k - 1));
    const { nodes, weights } = gaussRule([0, 0, 0], beside);
    const rule = nodes.map((node, k) => [node, weights[k]!] as const).toSorted(byNode);
    [-Math.sqrt(0.6), 0, Math.sqrt(0.6)].forEach((node, k) => expect(rule[k]![0]).toBeCloseTo(node, 12));
    [5 / 18, 8 / 18, 5 / 18].forEach((weight, k) => expect(rule[k]![1]).toBeCloseTo(weight, 12));
  });

  test("holds over many orders of magnitude, as of a Hessian", () => {
    const diagonal = Array.from({ length: 20 }, (_, i) => 10 ** (3 - i / 2));
    const beside = diagonal.slice(1).map((d) => d / 3);
    const { nodes } = gaussRule(diagonal, beside);
    const expected = reference(diagonal, beside);
    nodes.toSorted((a, b) => a - b).forEach((node, k) => expect(Math.abs(node - expected[k]![0])).toBeLessThan(1e-11));
  });
});
