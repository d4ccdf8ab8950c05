/**
 * The classical SGLD against what it must read, its own bias included: polynomial regression, quadratic in its coefficients, at
 * the exact least-squares point, with curvatures h_i and gradient variances along the axes of its Hessian computed here from the
 * data in double precision. A factor of 2 anywhere in step, temperature or noise shows.
 *
 * The pool cuts the rows, without repetition, into batches that stay the same (`batch-pool.ts`), so the variance that a step sees
 * is that of these batches' mean gradients, not c_i/m of independent rows: it is computed over the batches and given for m = 1.
 * Away from w0 gradients also vary with w, by a share s lambda / 4m of the noise at a step of s = epsilon t h_max: below 0.3 %.
 */
import type { LoadedData } from "../../src/catalogue/entry.ts";
import { fold, permutation } from "../../src/core/random.ts";
import { architectureOf } from "../../src/catalogue/registry.ts";
import { sgldStationary } from "../../src/oracle/sgld-stationary.ts";
import { judgeNumber, type NumberGate } from "../../src/selftest/judge.ts";
import { taskOf, type Cell } from "../../src/spec/cell.ts";
import { poolShape } from "../sample/batch-pool.ts";
import { cellKey } from "../train/members.ts";
import { cellOfGiven, readingOf } from "./known-cells.ts";
import { estimatePlaced } from "./placed-cell.ts";
import { solveLeastSquares, symmetricEigen, type Matrix } from "./small-matrix.ts";
import type { Job, Section } from "./section.ts";

const ROWS = 4096;
const DEGREE = 5;
/** d */
const PARAMETERS = DEGREE + 1;
const T = 2000;

interface Setting {
  readonly name: string;
  /** Step times the largest precision: stable below 4. */
  readonly stiffness: number;
  readonly rows: number;
  readonly batch: number | "all";
  readonly gamma: number;
}

/** Curvatures of Legendre polynomials are 1/(2k + 1): the largest is 1, of the constant. */
const SETTINGS: readonly Setting[] = [
  { name: "all rows, small step", stiffness: 0.5, rows: 128, batch: "all", gamma: 1 },
  { name: "all rows, large step", stiffness: 2.5, rows: 128, batch: "all", gamma: 1 },
  { name: "batches of 512", stiffness: 0.5, rows: ROWS, batch: 512, gamma: 1 },
  { name: "batches of 256, larger step", stiffness: 1, rows: ROWS, batch: 256, gamma: 1 },
  { name: "batches of 256, strong pull", stiffness: 0.5, rows: ROWS, batch: 256, gamma: 600 },
];

const GATE: NumberGate = { share: 0, standardErrors: 3, mostSe: 0.03 };

function cellOfSetting({ stiffness, rows, batch, gamma }: Setting): Parameters<typeof cellOfGiven>[0] {
  return {
    data: { kind: "regression-1d", function: "sine", noise: 1, train: rows, test: 1 },
    architecture: { kind: "polynomial", basis: "legendre", degree: DEGREE, normalise: false },
    optimizer: { kind: "sgd" },
    train: { steps: 1, batch: 1 },
    estimate: {
      sampler: "sgld",
      chains: 16,
      draws: 2000,
      burnIn: 200,
      batch,
      nBeta: T,
      gamma,
      stepSize: stiffness / (T + gamma),
    },
    seed: 1,
  };
}

const settingJob = (setting: Setting): Job => ({
  name: setting.name,
  run: async (bench) => {
    const cell = cellOfGiven(cellOfSetting(setting), bench);
    const found: { minimum?: Minimum } = {};
    const estimate = await estimatePlaced(
      cell,
      (_weights, data) => {
        found.minimum = minimumOf(cell, data);
        return [Float32Array.from(found.minimum.weights)];
      },
      bench,
    );
    const { stepSize, gamma } = cell.config.estimate;
    const { reading } = sgldStationary({ ...found.minimum!, t: T, gamma, epsilon: stepSize, batch: 1 });
    // SGLD's bias is what is measured: its verdict may well name it.
    return [judgeNumber(`SGLD, ${setting.name}`, reading, { ...readingOf(estimate), verdict: "" }, GATE)];
  },
});

interface Minimum {
  readonly weights: Float64Array;
  /** h_i */
  readonly curvatures: readonly number[];
  /** Variances of a batch's mean gradient along the axes of h_i. */
  readonly covariances: readonly number[];
}

function minimumOf(cell: Cell, { train: { x, y, rows } }: LoadedData): Minimum {
  const { config } = cell;
  const architecture = architectureOf(config.architecture);
  const features = architecture.prepare!(config.architecture, taskOf(config), x, rows);
  const d = PARAMETERS;
  const row = (i: number): Float32Array => features.subarray(i * d, (i + 1) * d);
  const hessian: Matrix = Array.from({ length: d }, () => new Float64Array(d));
  const moment = new Float64Array(d);
  for (let i = 0; i < rows; i += 1) {
    const phi = row(i);
    for (let a = 0; a < d; a += 1) {
      moment[a]! += (phi[a]! * y[i]!) / rows;
      for (let b = 0; b < d; b += 1) hessian[a]![b]! += (phi[a]! * phi[b]!) / rows;
    }
  }
  const weights = solveLeastSquares(hessian, moment);
  const { values, vectors } = symmetricEigen(hessian);
  const slopes = batchesOf(cell, rows).map((numbers) => {
    const gradient = new Float64Array(d);
    for (const i of numbers) {
      const residual = dot(row(i), weights) - y[i]!;
      row(i).forEach((phi, a) => (gradient[a]! += (residual * phi) / numbers.length));
    }
    return gradient;
  });
  const covariances = vectors.map((vector) => slopes.reduce((sum, g) => sum + dot(g, vector) ** 2 / slopes.length, 0));
  return { weights, curvatures: values, covariances };
}

/** Rows of the batches that the cell's chains draw from. */
function batchesOf(cell: Cell, rows: number): readonly Int32Array[] {
  const { batches, rows: m } = poolShape({ rows, dimension: PARAMETERS }, cell.config.estimate.batch);
  const order = permutation(fold(cellKey(cell), "pool"), { a: 0, b: 0 }, rows);
  return Array.from({ length: batches }, (_, b) => order.subarray(b * m, (b + 1) * m));
}

function dot(a: ArrayLike<number>, b: Float64Array): number {
  return b.reduce((sum, value, i) => sum + value * a[i]!, 0);
}

export const sgldSection: Section = {
  name: "sgld",
  summary: "classical SGLD on a quadratic, against the formula of its biased reading",
  long: false,
  jobs: SETTINGS.map(settingJob),
};
