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
  /** Open addressing over a power of two, of which half is free. */
  #places = new Int32Array(FEWEST_PLACES);
  /** Places that are not free. */
  #taken = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(scope: string, id: CellId): C | undefined {
    for (let place = this.#placeOf(id); ; place = this.#after(place)) {
      const number = this.#places[place]!;
      if (number === FREE) return undefined;
      const cell = number === LEFT ? undefined : this.#cells[number - 1];
      if (cell !== undefined && cell.id === id && cell.scope === scope) return cell;
    }
  }

  /** Not of one that is there. */
  add(cell: C): void {
    if (2 * (this.#taken + 1) > this.#places.length || this.#cells.length > 2 * this.#size + FEWEST_PLACES)
      this.#rebuild();
    this.#cells.push(cell);
    this.#put(cell, this.#cells.length);
    this.#size += 1;
  }

  /** Nothing when it is not there. */
  delete(cell: C): void {
    for (let place = this.#placeOf(cell.id); ; place = this.#after(place)) {
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
    this.#cells = this.#cells.filter((cell) => cell !== undefined);
    let places = FEWEST_PLACES;
    while (places < 3 * (this.#size + 1)) places *= 2;
    this.#places = new Int32Array(places);
    this.#taken = 0;
    for (const [index, cell] of this.#cells.entries()) this.#put(cell!, index + 1);
  }

  #placeOf(id: CellId): number {
    let hash = 0;
    for (let at = Math.max(0, id.length - HASHED_CHARS); at < id.length; at += 1) {
      hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
    }
    return (hash ^ (hash >>> 15)) & (this.#places.length - 1);
  }

  #after(place: number): number {
    return (place + 1) & (this.#places.length - 1);
  }

  #put(cell: C, number: number): void {
    let place = this.#placeOf(cell.id);
    while (this.#places[place]! > 0) place = this.#after(place);
    if (this.#places[place] === FREE) this.#taken += 1;
    this.#places[place] = number;
  }
}
