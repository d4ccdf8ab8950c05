/**
 * The rows of all datasets of a fused program, on the device: loaded once, prepared once, stacked where members read
 * different ones. A batch is a gather of rows, each member's with its dataset's offset.
 */
import type { Rows, Tensor, Tensor3D, Tf } from "../../src/catalogue/entry.ts";
import type { LoadedData } from "../../src/catalogue/entry.ts";
import { targetsOf, type Batch, type Program } from "../engine/program.ts";

export type Split = "train" | "test";

interface SplitTable {
  /** Rows of one dataset. */
  readonly rows: number;
  /** [datasets x rows, preparedSize] */
  readonly x: Tensor;
  /** [datasets x rows, targetSize] */
  readonly y: Tensor;
}

/** Owns its tensors; dispose it. */
export class FusedData {
  readonly #program: Program;
  readonly #tables: Readonly<Record<Split, SplitTable>>;

  constructor(program: Program, datasets: readonly LoadedData[]) {
    this.#program = program;
    this.#tables = {
      train: stack(
        program,
        datasets.map((data) => data.train),
      ),
      test: stack(
        program,
        datasets.map((data) => data.test),
      ),
    };
  }

  rows(split: Split): number {
    return this.#tables[split].rows;
  }

  /**
   * One batch: member k reads rows `rows[k B .. (k+1) B)` of dataset `datasets[k]`. The caller owns the result.
   */
  gather(split: Split, datasets: readonly number[], rows: Int32Array): Batch {
    const { tf } = this.#program.engine;
    const table = this.#tables[split];
    const members = datasets.length;
    const batch = rows.length / members;
    const index = rows.map((row, i) => row + datasets[Math.floor(i / batch)]! * table.rows);
    return tf.tidy(() => {
      const at = tf.tensor1d(index, "int32");
      const take = (from: Tensor): Tensor3D => tf.reshape(tf.gather(from, at), [members, batch, from.shape[1]!]);
      return { input: take(table.x), targets: targetsOf(this.#program, take(table.y)) };
    });
  }

  dispose(): void {
    for (const { x, y } of Object.values(this.#tables)) {
      x.dispose();
      y.dispose();
    }
  }
}

function stack(program: Program, splits: readonly Rows[]): SplitTable {
  const { tf } = program.engine;
  const rows = splits[0]?.rows ?? 0;
  return { rows, x: join(tf, splits.map((split) => prepare(program, split)), rows), y: join(tf, splits.map((split) => split.y), rows) }; // prettier-ignore
}

function prepare({ architecture, config, task }: Program, { x, rows }: Rows): Float32Array {
  return architecture.prepare?.(config, task, x, rows) ?? x;
}

function join(tf: Tf, parts: readonly Float32Array[], rows: number): Tensor {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new Float32Array(size);
  parts.reduce((at, part) => {
    all.set(part, at);
    return at + part.length;
  }, 0);
  return tf.tensor(all, [parts.length * rows, size / Math.max(1, parts.length * rows)], "float32");
}
