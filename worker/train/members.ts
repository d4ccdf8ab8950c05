/**
 * The members of a fused training program: which cells, in which order, with which keys. Members of one optimizer stand
 * together, so that an update works on contiguous slices.
 */
import { fold, type RandomKey } from "../../src/core/random.ts";
import type { CellMemory } from "../checkpoint/cell-memory.ts";
import type { Regulariser } from "../../src/catalogue/entry.ts";
import { OPTIMIZERS, optimizerOf, regulariserOf } from "../../src/catalogue/registry.ts";
import { seedKey, type Cell } from "../../src/spec/cell.ts";

export interface Member {
  readonly cell: Cell;
  /** Which of the program's datasets it reads. */
  readonly dataset: number;
  readonly keys: MemberKeys;
  /** What is done of it already; undefined where nobody keeps it. */
  readonly memory?: CellMemory | undefined;
}

/**
 * All chance of a cell. The keys depend on its seed alone: cells that differ in an optimizer or a regulariser and share a
 * seed start from the same weights and see the same batches, which pairs them for comparison.
 */
export interface MemberKeys {
  readonly initial: RandomKey;
  readonly batch: RandomKey;
  readonly hidden: RandomKey;
  readonly perturb: RandomKey;
}

/** Contiguous members [from, to) with one optimizer. */
export interface OptimizerSlice {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
}

/** The root of all chance of a cell. */
export const cellKey = (cell: Cell): RandomKey => seedKey(cell.config.seed);

export function memberOf(cell: Cell, dataset: number, memory?: CellMemory): Member {
  const root = cellKey(cell);
  const keys = {
    initial: fold(root, "initial"),
    batch: fold(root, "batch"),
    hidden: fold(root, "hidden"),
    perturb: fold(root, "perturb"),
  };
  return { cell, dataset, keys, memory };
}

/** Members in the order of a program: by optimizer, else as they came. */
export function byOptimizer(members: readonly Member[]): readonly Member[] {
  const rank = (member: Member): number => OPTIMIZERS.indexOf(optimizerOf(member.cell.config.optimizer));
  return members.toSorted((a, b) => rank(a) - rank(b));
}

export function optimizerSlices(members: readonly Member[]): readonly OptimizerSlice[] {
  const slices: OptimizerSlice[] = [];
  members.forEach((member, i) => {
    const { kind } = member.cell.config.optimizer;
    const last = slices.at(-1);
    if (last?.kind === kind) slices[slices.length - 1] = { ...last, to: i + 1 };
    else slices.push({ kind, from: i, to: i + 1 });
  });
  return slices;
}

/** A regulariser that some member uses, with every member's strength: 0, the exact identity, for those that use another. */
export interface ActiveRegulariser {
  readonly regulariser: Regulariser;
  readonly strengths: readonly number[];
}

export function activeRegularisers(members: readonly Member[]): readonly ActiveRegulariser[] {
  const used = new Map<string, Regulariser>();
  for (const { cell } of members) used.set(cell.config.regulariser.kind, regulariserOf(cell.config.regulariser));
  // In a fixed order, whatever the order of the members is.
  const kinds = [...used.keys()].sort();
  return kinds.map((kind) => {
    const regulariser = used.get(kind)!;
    const strengths = members.map(({ cell }) =>
      cell.config.regulariser.kind === kind ? regulariser.strength(cell.config.regulariser) : 0,
    );
    return { regulariser, strengths };
  });
}
