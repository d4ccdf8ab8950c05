import { describe, expect, it, test } from "vitest";
import { twoComponentNormalMixture } from "../../../src/oracle/normal-mixture.ts";
import { quadraticAtT, regular, softmaxLinear } from "../../../src/oracle/regular.ts";
import { tanhAtZero } from "../../../src/oracle/tanh-network.ts";
import { priorAverage, standardErrors } from "./prior-average.ts";

describe("models of known coefficient", () => {
  it("count half their parameters where they are regular", () => {
    expect(regular(7)).toBe(3.5);
    expect(softmaxLinear(10, 784)).toBe((9 * 785) / 2);
    expect(() => regular(1.5)).toThrow("no count");
  });

  it("of softmax regression: lambda is half the rank of the Fisher information", () => {
    const [classes, features] = [3, 2];
    expect(softmaxLinear(classes, features)).toBe(fisherRank(classes, features) / 2);
  });

  it("of a quadratic potential at finite t agree with Monte Carlo, and are half the rank for large t", () => {
    const eigenvalues = [3, 1, 0.2, 0];
    const potential = (w: Float64Array): number => eigenvalues.reduce((sum, s, i) => sum + (s * w[i]! * w[i]!) / 2, 0);
    const average = priorAverage(potential, 4, 2, 0.5, 40_000);
    expect(standardErrors(average, quadraticAtT(eigenvalues, 2, 0.5))).toBeLessThan(3);
    expect(quadraticAtT(eigenvalues, 1e12, 0.5)).toBeCloseTo(1.5, 9);
  });

  // With a and b of one tanh unit, a tanh(b x) ~ a b x: K behaves as (a b)^2. Two units give the ideal (a1 b1 + a2 b2,
  // a1 b1^3 + a2 b2^3), whose coefficient is 2/3.
  test.each([
    [1, 1 / 2, 2],
    [2, 2 / 3, 1],
    [3, 5 / 6, 1],
    [4, 1, 2],
    [5, 11 / 10, 1],
    [9, 3 / 2, 2],
    [16, 2, 2],
  ])("of %i tanh units at zero", (hidden, lambda, multiplicity) => {
    const coefficient = tanhAtZero(hidden);
    expect(coefficient.lambda).toBeCloseTo(lambda, 14);
    expect(coefficient.multiplicity).toBe(multiplicity);
  });

  it("of the two-component normal mixture: the share of the prior with K < u falls as sqrt(u) ln(1/u)", () => {
    const { lambda, multiplicity } = twoComponentNormalMixture();
    const u = 1e-9;
    const ratio = mixtureVolume(u) / mixtureVolume(u / 1e3);
    const logs = (Math.log(1 / u) + MIXTURE_OFFSET) / (Math.log(1e3 / u) + MIXTURE_OFFSET);
    expect(ratio / (1e3 ** lambda * logs ** (multiplicity - 1))).toBeCloseTo(1, 2);
  });
});

/** Rank of sum_x (diag p - p p^T) (x) (x, 1)(x, 1)^T over some inputs in general position, by elimination. */
function fisherRank(classes: number, features: number): number {
  const size = classes * (features + 1);
  const matrix = Array.from({ length: size }, () => new Float64Array(size));
  const inputs = [
    [0.3, -1],
    [1.1, 0.4],
    [-0.7, 0.9],
    [0.2, 1.6],
  ];
  const p = Array.from({ length: classes }, (_, c) => (c + 1) / ((classes * (classes + 1)) / 2));
  for (const x of inputs) {
    const row = [...x, 1];
    for (let i = 0; i < size; i += 1) {
      for (let j = 0; j < size; j += 1) {
        const [c, d] = [Math.floor(i / row.length), Math.floor(j / row.length)];
        matrix[i]![j]! += ((c === d ? p[c]! : 0) - p[c]! * p[d]!) * row[i % row.length]! * row[j % row.length]!;
      }
    }
  }
  return rankBySweeps(matrix);
}

/** Rank of a positive semi-definite matrix: pivots of elimination above 1e-9. */
function rankBySweeps(matrix: readonly Float64Array[]): number {
  let rank = 0;
  for (let pivot = 0; pivot < matrix.length; pivot += 1) {
    const row = matrix[pivot]!;
    if (row[pivot]! < 1e-9) continue;
    rank += 1;
    for (let i = pivot + 1; i < matrix.length; i += 1) {
      const factor = matrix[i]![pivot]! / row[pivot]!;
      for (let j = pivot; j < matrix.length; j += 1) matrix[i]![j]! -= factor * row[j]!;
    }
  }
  return rank;
}

/** The share of a in (0, 1), b in (0, 1) where K(a, b) < u, with K the mixture's divergence from N(0, 1) by quadrature. */
function mixtureVolume(u: number): number {
  const step = 0.02;
  let volume = 0;
  for (let logB = -18; logB < 0; logB += step) {
    const b = Math.exp(logB + step / 2);
    volume += largestShare(b, u) * b * step;
  }
  return volume;
}

/** The a at which K(a, b) = u, at most 1, by bisection in ln a. */
function largestShare(b: number, u: number): number {
  if (mixtureDivergence(1, b) < u) return 1;
  let [low, high] = [-40, 0];
  for (let i = 0; i < 30; i += 1) {
    const middle = (low + high) / 2;
    if (mixtureDivergence(Math.exp(middle), b) < u) low = middle;
    else high = middle;
  }
  return Math.exp(low);
}

/** K = E[z - ln(1 + z)], z = a (exp(b x - b^2/2) - 1), x ~ N(0, 1); the mean of z is 0. */
function mixtureDivergence(a: number, b: number): number {
  const step = 0.5;
  let sum = 0;
  for (let x = -8; x <= 8; x += step) {
    const z = a * Math.expm1(b * x - (b * b) / 2);
    const excess = Math.abs(z) < 1e-3 ? z * z * (1 / 2 - z / 3 + (z * z) / 4) : z - Math.log1p(z);
    sum += Math.exp((-x * x) / 2) * excess;
  }
  return (sum * step) / Math.sqrt(2 * Math.PI);
}

/** Volume ~ sqrt(2u) (ln(1/u)/2 + constant): the constant that a b < sqrt(2u) on the unit square has, doubled. */
const MIXTURE_OFFSET = 2 - Math.LN2;
