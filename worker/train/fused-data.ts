/**
 * The rows of all datasets of a fused program: loaded once, prepared once, one table after the other where members read
 * different ones. Datasets that have one array of inputs, or of targets, share its table. A batch takes rows of the tables, each
 * member's with its dataset's offset.
 */
import { inputSize, targetSize, type LoadedData, type Rows } from "../../src/catalogue/entry.ts";
import type { Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import { targetsOf, type Batch, type Program } from "../engine/program.ts";
import { tidied } from "./tidied.ts";

/** "all": the training rows, then those of the test set. */
export type Split = "train" | "test" | "all";

/** The distinct arrays of the datasets, one after the other. */
interface Stacked {
  /** [arrays x rows, size] */
  readonly table: Tensor;
  /** The first row of each dataset. */
  readonly first: readonly number[];
}

interface SplitTable {
  /** Rows of one dataset. */
  readonly rows: number;
  /** Of preparedSize. */
  readonly x: Stacked;
  /** Of targetSize. */
  readonly y: Stacked;
}

/** Owns its tables; dispose it. */
export class FusedData {
  readonly #program: Program;
  readonly #tables: Readonly<Record<"train" | "test", SplitTable>>;
  readonly #datasets: number;
  /** Made when it is asked for. */
  #all: SplitTable | undefined;

  constructor(program: Program, datasets: readonly LoadedData[]) {
    this.#program = program;
    this.#datasets = datasets.length;
    const table = (split: "train" | "test"): SplitTable => splitTable(program, datasets.map((data) => data[split])); // prettier-ignore
    this.#tables = { train: table("train"), test: table("test") };
  }

  /** Rows of one dataset. */
  rows(split: Split): number {
    const { train, test } = this.#tables;
    return split === "all" ? train.rows + test.rows : this.#tables[split].rows;
  }

  /** The first target of every row of a dataset: its class, or its first value. */
  firstTargets(split: Split, dataset: number): Float32Array {
    const { tf } = this.#program.engine;
    const { rows, y } = this.#table(split);
    const column = tf.slice(y.table, [y.first[dataset]!, 0], [rows, 1]);
    const values = column.dataSync<"float32">().slice();
    column.dispose();
    return values;
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
    const { x, y } = this.#table(split);
    const taken = ({ table, first }: Stacked): Tensor3D => {
      const offsets = datasets.map((dataset) => first[dataset]!);
      const moved = offsets.some((row) => row !== 0);
      return tf.gather(
        table,
        moved ? tf.add(rows, tf.tensor2d(offsets, [offsets.length, 1], "int32")) : rows,
      ) as Tensor3D;
    };
    return tidied(tf, () => ({ input: taken(x), targets: targetsOf(this.#program, taken(y)) }));
  }

  #table(split: Split): SplitTable {
    if (split !== "all") return this.#tables[split];
    const { tf } = this.#program.engine;
    const { train, test } = this.#tables;
    const joined = (of: (table: SplitTable) => Stacked): Stacked => {
      const table = tf.tidy(() => {
        const parts = Array.from({ length: this.#datasets }, (_, dataset) =>
          [train, test].map((split) => rowsOf(tf, of(split), dataset, split.rows)),
        );
        return tf.concat(parts.flat(), 0);
      });
      const first = Array.from({ length: this.#datasets }, (_, dataset) => dataset * (train.rows + test.rows));
      return { table: tf.keep(table), first };
    };
    this.#all ??= { rows: train.rows + test.rows, x: joined(({ x }) => x), y: joined(({ y }) => y) };
    return this.#all;
  }

  dispose(): void {
    for (const { x, y } of [...Object.values(this.#tables), ...(this.#all === undefined ? [] : [this.#all])]) {
      x.table.dispose();
      y.table.dispose();
    }
  }
}

function splitTable(program: Program, splits: readonly Rows[]): SplitTable {
  const { engine, architecture, config, task } = program;
  const prepared = (x: Float32Array): Float32Array => architecture.prepare?.(config, task, x, rows) ?? x;
  const width = architecture.prepare === undefined ? inputSize(task.input) : architecture.preparedSize(config, task);
  // Of one task, so all of one length.
  const rows = splits[0]?.rows ?? 0;
  const stacked = (parts: readonly Float32Array[], size: number, stored = (part: Float32Array) => part): Stacked => {
    const distinct = [...new Set(parts)];
    const all = join(distinct.map(stored));
    const place = new Map(distinct.map((part, i) => [part, i * rows]));
    return {
      table: engine.tf.tensor2d(all, [distinct.length * rows, size], "float32"),
      first: parts.map((part) => place.get(part)!),
    };
  };
  return {
    rows,
    x: stacked(splits.map(({ x }) => x), width, prepared), // prettier-ignore
    y: stacked(splits.map(({ y }) => y), targetSize(task.output)), // prettier-ignore
  };
}

/** One after the other; a single part is not copied. */
export function join(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return all;
}

const rowsOf = (tf: Tf, { table, first }: Stacked, dataset: number, rows: number): Tensor =>
  tf.slice(table, [first[dataset]!, 0], [rows, -1]);
