/** Points of a grid to look at: all of them, or a sample that depends on nothing but the grid. */
import { fillUniform, rootKey } from "../core/random.ts";
import type { IndexedSubGrid } from "./grid.ts";

const KEY = rootKey("occam/spec/sample");
const TWO_POW_24 = 2 ** 24;

/** `count` integers in [0, bound), with replacement, from 48 bits each. */
export function sampleIndices(bound: number, count: number, purpose: number): number[] {
  const draws = new Float32Array(2 * count);
  fillUniform(KEY, { a: purpose, b: 0 }, draws);
  return Array.from({ length: count }, (_, i) => {
    const unit = (draws[2 * i]! * TWO_POW_24 + draws[2 * i + 1]!) / TWO_POW_24;
    return Math.min(bound - 1, Math.floor(unit * bound));
  });
}

/** At the most so many blocks are looked at one by one. */
const STRATA = 500;
const PER_STRATUM = 8;

/**
 * Indices of a sub-grid: all of them for an undefined count; else `count` at random, after a few from every block of every
 * factor and every pair of blocks of two neighbouring factors (data and architecture first), so that a variant with few
 * points beside one with many is seen.
 */
export function* samplePoints(grid: IndexedSubGrid, count: number | undefined): Generator<number> {
  if (count === undefined) {
    for (let index = 0; index < grid.size; index += 1) yield index;
    return;
  }
  yield* strataPoints(grid);
  yield* sampleIndices(grid.size, Math.floor(count), 1);
}

function* strataPoints(grid: IndexedSubGrid): Generator<number> {
  const pairs = blockPairs(grid);
  for (const [number, pair] of pairs.entries()) {
    for (const random of sampleIndices(grid.size, PER_STRATUM, number + 2)) {
      let index = 0;
      let rest = random;
      for (let f = grid.factors.length - 1, weight = 1; f >= 0; f -= 1) {
        const { size, blocks } = grid.factors[f]!;
        const block = pair.has(f) ? blocks[pair.get(f)!]! : undefined;
        const digit = rest % size;
        index += weight * (block === undefined ? digit : block.before + (digit % block.size));
        rest = Math.floor(rest / size);
        weight *= size;
      }
      yield index;
    }
  }
}

/** Choices of a block in two factors, as factor -> block. */
function blockPairs(grid: IndexedSubGrid): ReadonlyMap<number, number>[] {
  const pairs: ReadonlyMap<number, number>[] = [];
  for (let f = 0; f + 1 < grid.factors.length; f += 1) {
    const left = grid.factors[f]!.blocks.length;
    const right = grid.factors[f + 1]!.blocks.length;
    for (let i = 0; i < left; i += 1) {
      for (let j = 0; j < right && pairs.length < STRATA; j += 1)
        pairs.push(
          new Map([
            [f, i],
            [f + 1, j],
          ]),
        );
    }
  }
  return pairs;
}
