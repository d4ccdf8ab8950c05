/**
 * The rows of all datasets of a fused program: loaded once, prepared once, one table after the other where members read
 * different ones. A batch takes rows of it, each member's with its dataset's offset.
 */
import { inputSize, targetSize, type LoadedData, type Rows } from "../../src/catalogue/entry.ts";
import type { Tensor, Tensor3D } from "../../src/catalogue/entry.ts";
import { targetsOf, type Batch, type Program } from "../engine/program.ts";
import { tidied } from "./tidied.ts";

export type Split = "train" | "test";

interface SplitTable {
  /** Rows of one dataset. */
  readonly rows: number;
  /** [datasets x rows, preparedSize] */
  readonly x: Tensor;
  /** [datasets x rows, targetSize] */
  readonly y: Tensor;
}

/** Owns its tables; dispose it. */
export class FusedData {
  readonly #program: Program;
  readonly #tables: Readonly<Record<Split, SplitTable>>;

  constructor(program: Program, datasets: readonly LoadedData[]) {
    this.#program = program;
    const table = (split: Split): SplitTable => splitTable(program, datasets.map((data) => data[split])); // prettier-ignore
    this.#tables = { train: table("train"), test: table("test") };
  }

  /** Rows of one dataset. */
  rows(split: Split): number {
    return this.#tables[split].rows;
  }

  /** One batch: member k reads rows `rows[k B .. (k+1) B)` of dataset `datasets[k]`. The caller owns the result. */
  gather(split: Split, datasets: readonly number[], rows: Int32Array): Batch {
    const { tf } = this.#program.engine;
    const shape: [number, number] = [datasets.length, rows.length / datasets.length];
    return tidied(tf, () => this.take(split, datasets, tf.tensor2d(rows, shape, "int32")));
  }

  /** The same, of rows that are on the device: int32 [K, B], lent. */
  take(split: Split, datasets: readonly number[], rows: Tensor): Batch {
    const { tf } = this.#program.engine;
    const { x, y, rows: each } = this.#tables[split];
    const first = datasets.map((dataset) => dataset * each);
    return tidied(tf, () => {
      const moved = first.some((row) => row !== 0);
      const indices = moved ? tf.add(rows, tf.tensor2d(first, [first.length, 1], "int32")) : rows;
      return {
        input: tf.gather(x, indices) as Tensor3D,
        targets: targetsOf(this.#program, tf.gather(y, indices) as Tensor3D),
      };
    });
  }

  dispose(): void {
    for (const { x, y } of Object.values(this.#tables)) {
      x.dispose();
      y.dispose();
    }
  }
}

function splitTable(program: Program, splits: readonly Rows[]): SplitTable {
  const { engine, architecture, config, task } = program;
  const prepared = splits.map(({ x, rows }) => architecture.prepare?.(config, task, x, rows) ?? x);
  const width = architecture.prepare === undefined ? inputSize(task.input) : architecture.preparedSize(config, task);
  // Of one task, so all of one length.
  const rows = splits[0]?.rows ?? 0;
  const table = (parts: readonly Float32Array[], size: number): Tensor => {
    return engine.tf.tensor2d(join(parts), [splits.length * rows, size], "float32");
  };
  return {
    rows,
    x: table(prepared, width),
    y: table(splits.map(({ y }) => y), targetSize(task.output)), // prettier-ignore
  };
}

/** One after the other; a single part is not copied. */
function join(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return all;
}
