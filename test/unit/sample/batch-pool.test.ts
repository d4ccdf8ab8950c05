import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fillNormal, rootKey } from "../../../src/core/random.ts";
import type { Tensor } from "../../../src/catalogue/entry.ts";
import { openEngine, type Engine } from "../../../worker/engine/engine.ts";
import { openProgram, type Program } from "../../../worker/engine/program.ts";
import { sizeOf } from "../../../worker/engine/shape.ts";
import { BatchPool, poolShape } from "../../../worker/sample/batch-pool.ts";
import { ProgramSurface } from "../../../worker/sample/program-surface.ts";
import { FusedData } from "../../../worker/train/fused-data.ts";
import { tinyCell } from "../../support/tiny-cells.ts";

const ROWS = 100;
const BATCH = 20;
const CELL = tinyCell({
  data: { kind: "teacher-student", inputs: 4, outputs: 2, train: ROWS, test: 10 },
  architecture: { kind: "mlp", activation: "tanh", depth: 1, width: 6 },
});

let engine: Engine;
let program: Program;
let data: FusedData;
let surface: ProgramSurface;
let pool: BatchPool;
/** w0, and a point near it, as two members each. */
let anchor: readonly Tensor[];
let near: readonly Tensor[];

beforeAll(async () => {
  engine = await openEngine("wasm");
  program = openProgram(engine, CELL.config);
  data = new FusedData(program, [await engine.datasets.load(CELL.config.data)]);
  anchor = program.parameters.map(({ shape }, p) => normals(shape, p, 0.5));
  const { tf } = engine;
  near = anchor.map((tensor, p) =>
    tf.tidy(() => tf.add(tensor, normals(program.parameters[p]!.shape, 100 + p, NEARBY))),
  );
  const weights = anchor.map((tensor) => tensor.dataSync<"float32">().slice(0, tensor.size / 2));
  const cell = { dataset: 0, weights };
  surface = new ProgramSurface(program, data, [cell, cell], { distance: "loss", split: "train" });
  pool = new BatchPool(surface, KEYS, anchor, BATCH, true);
});

afterAll(() => {
  pool.dispose();
  surface.dispose();
  data.dispose();
  engine.tf.dispose([...anchor, ...near]);
  expect(engine.memory().tensors).toBe(0);
});

const NEARBY = 0.01;
const KEYS = [rootKey("pool-test"), rootKey("pool-test")];

function normals(shape: readonly number[], b: number, sd: number): Tensor {
  const values = new Float32Array(sizeOf(shape));
  fillNormal(rootKey("pool-test/weights"), { a: 0, b }, values);
  return engine.tf.tidy(() => engine.tf.tile(engine.tf.tensor(values.map((v) => sd * v), [1, ...shape]), [2, ...shape.map(() => 1)])); // prettier-ignore
}

interface Batchwise {
  /** Gradients of the batches, flat: as they come, and corrected. */
  readonly plain: readonly number[][];
  readonly corrected: readonly number[][];
  /** Paired readings L_B(w) - L_B(w0): as they come, and corrected. */
  readonly readings: readonly number[];
  readonly correctedReadings: readonly number[];
}

/** Gradients and readings of every batch of the pool at `near`. */
function batchwise(): Batchwise {
  const { tf } = engine;
  const each = Array.from({ length: pool.shape.batches }, (_, b) =>
    tf.tidy(() => {
      const { batch, rows: at, base, corrections } = pool.take([0, 1], [b, b]);
      const { rows, gradients } = batch.gradients(near);
      const first = (tensor: Tensor): number[] => Array.from(tensor.dataSync<"float32">().subarray(0, tensor.size / 2));
      const mean = corrections.map((table, p) =>
        tf.reshape(tf.slice(tf.gather(table, at), [0, 0, 0], [-1, 1, -1]), near[p]!.shape),
      );
      const reading = tf.mean(tf.sub(rows, tf.gather(base, at)), -1).dataSync()[0]!;
      const along = mean.reduce((sum, d, p) => {
        const delta = first(tf.sub(near[p]!, anchor[p]!));
        return sum + first(d).reduce((total, value, i) => total + value * delta[i]!, 0);
      }, 0);
      return {
        plain: gradients.flatMap(first),
        corrected: gradients.flatMap((gradient, p) => first(tf.sub(gradient, mean[p]!))),
        reading,
        along,
      };
    }),
  );
  return {
    plain: each.map(({ plain }) => plain),
    corrected: each.map(({ corrected }) => corrected),
    readings: each.map(({ reading }) => reading),
    correctedReadings: each.map(({ reading, along }) => reading - along),
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const sd = (values: readonly number[]): number => Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)));

describe("the pool of a cell's batches", () => {
  test("cuts the rows into batches of two halves that are at least as large as asked", () => {
    const { dimension } = surface;
    expect(poolShape({ rows: 100, dimension }, 20)).toEqual({ batches: 5, rows: 20 });
    expect(poolShape({ rows: 1000, dimension }, 256)).toEqual({ batches: 3, rows: 332 });
    expect(poolShape({ rows: 100, dimension }, 60)).toEqual({ batches: 1, rows: 100 });
    expect(poolShape({ rows: 100, dimension }, 0)).toEqual({ batches: 1, rows: 100 });
  });

  test("corrections leave means over batches as they are", () => {
    const { plain, corrected, readings, correctedReadings } = batchwise();
    plain[0]!.forEach((_, i) => {
      const column = (rows: readonly number[][]): number => mean(rows.map((row) => row[i]!));
      expect(column(corrected)).toBeCloseTo(column(plain), 6);
    });
    expect(mean(correctedReadings)).toBeCloseTo(mean(readings), 6);
  });

  test("near w0 they take away nearly all noise of gradients and readings", () => {
    const { plain, corrected, readings, correctedReadings } = batchwise();
    const noise = (rows: readonly number[][]): number => mean(rows[0]!.map((_, i) => sd(rows.map((row) => row[i]!))));
    expect(noise(corrected)).toBeLessThan(0.05 * noise(plain));
    expect(sd(correctedReadings)).toBeLessThan(0.05 * sd(readings));
  });

  test("the tables of a large network are of few batches: chains draw from a part of the rows", () => {
    // 2^26 bytes of two float32 a batch and number.
    expect(poolShape({ rows: 10_000, dimension: 2 ** 21 }, 100)).toEqual({ batches: 4, rows: 100 });
  });

  test("samplers of the literature take gradients as they come", () => {
    const plain = new BatchPool(surface, KEYS, anchor, BATCH, false);
    const { batch, rows, base, corrections } = plain.take([0, 1], [3, 3]);
    expect(corrections).toEqual([]);
    expect(base.shape).toEqual([2 * 5, BATCH]);
    engine.tf.dispose(rows);
    batch.dispose();
    plain.dispose();
  });

  test("a pool of one batch needs no correction", () => {
    const whole = new BatchPool(surface, KEYS, anchor, 0, true);
    const { batch, rows, base, corrections } = whole.take([0, 1], [0, 0]);
    expect(corrections).toEqual([]);
    const { rows: losses, gradients } = batch.gradients(anchor);
    expect(losses.shape).toEqual([2, ROWS]);
    expect([...losses.dataSync()]).toEqual([...base.dataSync()]);
    expect(base.shape).toEqual([2, ROWS]);
    expect([...rows.dataSync()]).toEqual([0, 1]);
    engine.tf.dispose([losses, ...gradients, rows]);
    batch.dispose();
    whole.dispose();
  });
});
