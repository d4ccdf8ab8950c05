/** A set of chains of `langevin-run.ts` that step together, and what is kept of a posterior's chains between two steps. */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";
import type { Stack } from "../checkpoint/saved-value.ts";
import { joinStacks, readRows } from "../checkpoint/stacks.ts";
import { MemberVector } from "../engine/member-vector.ts";
import type { SquaresState } from "./preconditioner.ts";
import type { Reading } from "./reading.ts";
import type { SamplerState } from "./sampler.ts";

/** One set of chains that step together, with what was read of them. */
export interface ChainSet {
  state: SamplerState;
  readonly epsilon: MemberVector;
  unread: Reading[];
  /** By lane: x on each half of the batch. */
  readonly first: readonly Float64Array[];
  readonly second: readonly Float64Array[];
  draws: number;
}

/**
 * Takes what was read of the chains from the device.
 * @param t by lane
 * @param displacement by lane: written, where there is any
 */
export function readSet(set: ChainSet, t: readonly number[], displacement: readonly Float64Array[] | undefined): void {
  for (const { differences, squares } of set.unread) {
    const [d, s] = [differences.dataSync<"float32">(), squares.dataSync<"float32">()];
    t.forEach((own, lane) => {
      set.first[lane]![set.draws] = own * d[2 * lane]!;
      set.second[lane]![set.draws] = own * d[2 * lane + 1]!;
      if (displacement !== undefined) displacement[lane]![set.draws] = Math.sqrt(s[lane]!);
    });
    set.draws += 1;
    differences.dispose();
    squares.dispose();
  }
  set.unread = [];
}

/** A posterior's chains between two steps. */
export interface LangevinState {
  /** Steps of the run so far; of the fine chains; gradients of each chain. */
  readonly step: number;
  readonly ticks: number;
  readonly gradients: number;
  /** Of a whole step. */
  readonly epsilon: number;
  readonly displacement: readonly Float64Array[];
  /** Squared gradients while the preconditioner is learned. */
  readonly squares: SquaresState;
  /** sqrt(M) of one chain, [1, ...shape] by parameter: that of all. None before it is learned. */
  readonly root: readonly Stack[];
  readonly fine: ChainSetState;
  readonly coarse: ChainSetState | undefined;
  /** By test, then chain. */
  readonly acceptances: readonly (readonly number[])[];
}

/** A posterior's part of a set, whose readings were all read. */
export interface ChainSetState {
  readonly position: readonly Stack[];
  readonly carry: readonly Stack[];
  readonly first: readonly Float64Array[];
  readonly second: readonly Float64Array[];
  readonly draws: number;
}

/** Chains [from, from + count) of a set. */
export function cutSet(tf: Tf, { state, first, second, draws }: ChainSet, from: number, count: number): ChainSetState {
  const rows = (tensor: Tensor): Stack => readRows(tf, tensor, from, count);
  return {
    position: state.position.map(rows),
    carry: state.carry.map(rows),
    first: first.slice(from, from + count),
    second: second.slice(from, from + count),
    draws,
  };
}

/** @param epsilons by lane */
export function joinSets(tf: Tf, parts: readonly ChainSetState[], epsilons: readonly number[]): ChainSet {
  const joined = (of: "position" | "carry"): readonly Tensor[] =>
    parts[0]![of].map((_, p) => joinStacks(tf, parts.map((part) => part[of][p]!))); // prettier-ignore
  return {
    state: { position: joined("position"), carry: joined("carry") },
    epsilon: new MemberVector(tf, epsilons),
    unread: [],
    first: parts.flatMap(({ first }) => first.map((draws) => draws.slice())),
    second: parts.flatMap(({ second }) => second.map((draws) => draws.slice())),
    draws: parts[0]!.draws,
  };
}

/** sqrt(M) of every lane from that of each posterior, by parameter. */
export function joinRoots(tf: Tf, roots: readonly (readonly Stack[])[], chains: number): readonly Tensor[] {
  return roots[0]!.map((_, p) => {
    const every = roots.flatMap((root) => Array.from({ length: chains }, () => root[p]!));
    return joinStacks(tf, every);
  });
}
