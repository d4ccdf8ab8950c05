/**
 * The rows of all datasets of a fused program: loaded once, prepared once, one table after the other where members read
 * different ones. A batch takes rows of it, each member's with its dataset's offset.
 */
import { inputSize, targetSize, type LoadedData, type Rows } from "../../src/catalogue/entry.ts";
import type { Tensor, Tensor3D } from "../../src/catalogue/entry.ts";
import { targetsOf, type Batch, type Program } from "../engine/program.ts";
import { rowTable, type RowTable } from "../engine/row-table.ts";

export type Split = "train" | "test";

interface SplitTable {
  /** Rows of one dataset. */
  readonly rows: number;
  readonly x: RowTable;
  readonly y: RowTable;
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
    const table = this.#tables[split];
    const members = datasets.length;
    const batch = rows.length / members;
    const indices = rows.map((row, i) => row + datasets[Math.floor(i / batch)]! * table.rows);
    return tf.tidy(() => {
      const stacked = (taken: Tensor): Tensor3D => tf.reshape(taken, [members, batch, taken.shape[1]!]);
      return {
        input: stacked(table.x.take(indices)),
        targets: targetsOf(this.#program, stacked(table.y.take(indices))),
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
  return {
    rows: splits[0]?.rows ?? 0,
    x: rowTable(engine, join(prepared), [width]),
    y: rowTable(engine, join(splits.map(({ y }) => y)), [targetSize(task.output)]), // prettier-ignore
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
