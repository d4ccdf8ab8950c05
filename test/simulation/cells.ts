/** The cells of the runs: real configurations with their real ids, of which only the seed differs. */
import type { CellId } from "../../src/core/ids.ts";
import { asFuseKey, asSweepId } from "../../src/core/ids.ts";
import { sha256Hex } from "../../src/core/canonical-json.ts";
import { NO_ESTIMATE } from "../../src/spec/estimate-section.ts";
import { cellOf } from "../../src/spec/cell.ts";
import { configToJson } from "../../src/wire/cell-grant.ts";
import type { SpecArm, SpecCell, SpecReader } from "../../coordinator/sweep/spec-reader.ts";

/** A sweep file of the simulation: cells `from`, `from + 1`, ... over as many fuse keys. */
export interface SimSweep {
  readonly name: string;
  readonly cells: number;
  readonly fuseKeys: number;
  readonly from: number;
}

type Known = Pick<SpecCell, "id" | "own"> & { readonly arm: Omit<SpecArm, "fuseKey"> };

const known = new Map<number, Known>();
const numbers = new Map<string, number>();

function cellOfNumber(number: number): Known {
  const before = known.get(number);
  if (before !== undefined) return before;
  const { id, config } = cellOf({
    data: { kind: "moons", train: 8 },
    architecture: { kind: "mlp", width: 2 },
    optimizer: { kind: "sgd", learningRate: 0.1 },
    regulariser: { kind: "none" },
    seed: String(number),
    train: { steps: 10, batch: 8, schedule: "constant", evalEvery: 5, stopTrainLoss: null },
    estimate: { ...NO_ESTIMATE, sampler: "sgld" },
  });
  const fields = fieldsOf(configToJson(config));
  const seedAt = fields.findIndex((field) => field.startsWith(',"seed":'));
  const [head, tail] = [fields.slice(0, seedAt), fields.slice(seedAt + 1)];
  const arm = { before: head, after: tail, bytesPerMember: 1_000_000, flops: 1_000_000 };
  const cell = { id, arm, own: fields[seedAt]! };
  known.set(number, cell);
  numbers.set(id, number);
  return cell;
}

function fieldsOf(json: string): readonly string[] {
  const fields = Object.entries(JSON.parse(json) as object).map(([key, value]) => `"${key}":${JSON.stringify(value)}`);
  return fields.map((field, at) => `${at === 0 ? "{" : ","}${field}${at === fields.length - 1 ? "}" : ""}`);
}

export const cellId = (number: number): CellId => cellOfNumber(number).id;

export const numberOf = (id: string): number => numbers.get(id)!;

export const simSpecs: SpecReader = {
  read: async (text) => {
    const { name, cells, fuseKeys, from } = JSON.parse(text) as SimSweep;
    return {
      name,
      gridSize: cells,
      mayRepeat: false,
      id: (requestId) => asSweepId(`${name}-${sha256Hex(text + (requestId ?? "")).slice(0, 10)}`),
      at: (index) => {
        const number = from + index;
        const { arm, ...cell } = cellOfNumber(number);
        return { ...cell, arm: { ...arm, fuseKey: asFuseKey(`${number % fuseKeys}`.padStart(16, "f")) } };
      },
      label: (index) => `cell=${from + index}`,
    };
  },
};
