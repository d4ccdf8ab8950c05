/**
 * Cells by scope and id, in the order in which they came. A `Map` with a million texts as its keys takes ten times the memory of
 * this table of numbers, and as much time again to grow.
 */
import type { CellId } from "../../src/core/ids.ts";

interface Named {
  readonly scope: string;
  readonly id: CellId;
}

/** What a place of the table holds beside the number of a cell + 1. */
const FREE = 0;
const LEFT = -1;

const FEWEST_PLACES = 64;
/** Ids are hashes: their last characters are as good a hash as any. */
const HASHED_CHARS = 10;

export class CellIndex<C extends Named> {
  /** In the order in which they came; undefined: it left. */
  #cells: (C | undefined)[] = [];
  /** Of their ids, in the same order: a table that grows need not look at every cell for it. */
  #hashes = new Int32Array(FEWEST_PLACES);
  /** Open addressing over a power of two, of which half is free. */
  #places = new Int32Array(FEWEST_PLACES);
  /** Places that are not free. */
  #taken = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(scope: string, id: CellId): C | undefined {
    const hash = hashOf(id);
    for (let place = this.#placeOf(hash); ; place = this.#after(place)) {
      const number = this.#places[place]!;
      if (number === FREE) return undefined;
      if (number === LEFT || this.#hashes[number - 1] !== hash) continue;
      const cell = this.#cells[number - 1];
      if (cell !== undefined && cell.id === id && cell.scope === scope) return cell;
    }
  }

  /** Not of one that is there. */
  add(cell: C): void {
    if (2 * (this.#taken + 1) > this.#places.length || this.#cells.length > 2 * this.#size + FEWEST_PLACES)
      this.#rebuild();
    const hash = hashOf(cell.id);
    this.#cells.push(cell);
    if (this.#hashes.length < this.#cells.length) this.#hashes = withRoom(this.#hashes);
    this.#hashes[this.#cells.length - 1] = hash;
    this.#put(hash, this.#cells.length);
    this.#size += 1;
  }

  /** Nothing when it is not there. */
  delete(cell: C): void {
    for (let place = this.#placeOf(hashOf(cell.id)); ; place = this.#after(place)) {
      const number = this.#places[place]!;
      if (number === FREE) return;
      if (number === LEFT || this.#cells[number - 1] !== cell) continue;
      this.#places[place] = LEFT;
      this.#cells[number - 1] = undefined;
      this.#size -= 1;
      return;
    }
  }

  /** To be gone through before a cell is added or taken out. */
  *values(): Generator<C, void, undefined> {
    for (const cell of this.#cells) if (cell !== undefined) yield cell;
  }

  /** With room for half as many cells again, at the least. */
  #rebuild(): void {
    this.#closeGaps();
    let places = FEWEST_PLACES;
    while (places < 3 * (this.#size + 1)) places *= 2;
    this.#places = new Int32Array(places);
    this.#taken = 0;
    for (let number = 1; number <= this.#size; number += 1) this.#put(this.#hashes[number - 1]!, number);
  }

  #closeGaps(): void {
    if (this.#cells.length === this.#size) return;
    let kept = 0;
    for (const [at, cell] of this.#cells.entries()) {
      if (cell === undefined) continue;
      this.#cells[kept] = cell;
      this.#hashes[kept] = this.#hashes[at]!;
      kept += 1;
    }
    this.#cells.length = kept;
    this.#hashes = this.#hashes.slice(0, Math.max(kept, FEWEST_PLACES));
  }

  #placeOf(hash: number): number {
    return hash & (this.#places.length - 1);
  }

  #after(place: number): number {
    return (place + 1) & (this.#places.length - 1);
  }

  #put(hash: number, number: number): void {
    let place = this.#placeOf(hash);
    while (this.#places[place]! > 0) place = this.#after(place);
    if (this.#places[place] === FREE) this.#taken += 1;
    this.#places[place] = number;
  }
}

function hashOf(id: CellId): number {
  let hash = 0;
  for (let at = Math.max(0, id.length - HASHED_CHARS); at < id.length; at += 1) {
    hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  }
  return hash ^ (hash >>> 15);
}

function withRoom(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * numbers.length);
  larger.set(numbers);
  return larger;
}
