/**
 * What is estimated of trained cells: their loss surfaces, by estimand, with the parameters that move and the rows that count.
 * All members of one surface have as many rows; cells whose classes have other numbers of rows get one of their own.
 */
import type { EstimateConfig } from "../../src/spec/cell.ts";
import { OccamError } from "../../src/core/errors.ts";
import type { Program } from "../engine/program.ts";
import { ProgramSurface, type Distance } from "../sample/program-surface.ts";
import type { FusedData, Split } from "../train/fused-data.ts";
import type { TrainedWell } from "./trained.ts";

export interface Estimand {
  /** "loss", "behavioural-kl of weight1 on class:3", ... */
  readonly label: string;
  readonly distance: Distance;
  readonly split: Split;
  /** Parameters that move; undefined: all. */
  readonly free: readonly number[] | undefined;
  readonly rows: string;
}

/** The estimands of a cell: the first is what `estimate` says, a second one what stands beside it. */
export function estimandsOf(program: Program, config: EstimateConfig): readonly Estimand[] {
  const { estimand, distance, inputs } = config;
  const free = freeParameters(program, config.parameters);
  const rest = [
    free === undefined ? "" : ` of ${config.parameters}`,
    config.rows === "all" ? "" : ` on ${config.rows}`,
  ];
  const common = { free, rows: config.rows };
  const natural = program.task.output.kind === "classes" ? "kl" : "mse";
  const chosen = distance === "auto" || distance === "" ? natural : distance;
  const loss: Estimand = { ...common, label: ["loss", ...rest].join(""), distance: "loss", split: "train" };
  const split: Split = inputs === "all" ? "all" : "train";
  const on = split === "all" ? " on all inputs" : "";
  const behavioural: Estimand = {
    ...common,
    label: [`behavioural-${chosen}`, ...rest, on].join(""),
    distance: chosen,
    split,
  };
  if (estimand === "both") return [loss, behavioural];
  return [estimand === "behavioural" ? behavioural : loss];
}

/** Indices of the parameters whose names begin so; undefined for all. */
function freeParameters(program: Program, names: string): readonly number[] | undefined {
  if (names === "all" || names === "") return undefined;
  const free = program.parameters.flatMap(({ name }, p) => (name.startsWith(names) ? [p] : []));
  if (free.length > 0) return free;
  const known = program.parameters.map(({ name }) => name).join(", ");
  throw new OccamError("bad-spec", `no parameter begins with "${names}"`, {
    where: "estimate.parameters",
    hint: `this architecture has ${known}`,
  });
}

/** Cells that share a surface, with it. */
export interface Surfaced {
  readonly cells: readonly TrainedWell[];
  /** The caller disposes it. */
  open(): ProgramSurface;
}

export function surfacesOf(
  program: Program,
  data: FusedData,
  cells: readonly TrainedWell[],
  { distance, split, free, rows }: Estimand,
): readonly Surfaced[] {
  const options = { distance, split, ...(free === undefined ? {} : { free }) };
  const open = (own: readonly TrainedWell[], chosen?: readonly Int32Array[]): ProgramSurface => {
    const members = own.map(({ member, weights }) => ({ dataset: member.dataset, weights }));
    return new ProgramSurface(program, data, members, chosen === undefined ? options : { ...options, rows: chosen });
  };
  if (rows === "all" || rows === "") return [{ cells, open: () => open(cells) }];
  const wanted = Number(rows.slice("class:".length));
  const rowsOf = new Map<number, Int32Array>();
  for (const { member } of cells) {
    if (!rowsOf.has(member.dataset)) rowsOf.set(member.dataset, rowsOfClass(data, split, member.dataset, wanted));
  }
  const lengths = [...new Set([...rowsOf.values()].map(({ length }) => length))];
  return lengths.map((length) => {
    const own = cells.filter(({ member }) => rowsOf.get(member.dataset)!.length === length);
    return { cells: own, open: () => open(own, own.map(({ member }) => rowsOf.get(member.dataset)!)) }; // prettier-ignore
  });
}

function rowsOfClass(data: FusedData, split: Split, dataset: number, wanted: number): Int32Array {
  const classes = data.firstTargets(split, dataset);
  const rows = Int32Array.from([...classes.keys()].filter((row) => classes[row] === wanted));
  if (rows.length >= 2) return rows;
  throw new OccamError("bad-spec", `${rows.length} rows are of class ${wanted}: an estimate needs two`, {
    where: "estimate.rows",
    hint: "name a class of the data",
  });
}
