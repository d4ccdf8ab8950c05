/**
 * Do the first cells of a sweep all fail alike? Then what is wrong is not the cells, and the rest would only burn. Pure but for
 * its own memory, which is of this run of the process: a sweep that has a result is never suspected again.
 */

/** Distinct cells that must have failed alike, before any has a result. */
export const ALIKE_MAX = 5;

/** Of a reason, as much as says what kind it is. */
const CLASS_CHARS = 80;

export class FirstFaults {
  readonly #cells = new Set<number>();
  #class: string | undefined;
  #over = false;

  /** True once: with this fault the first cells have all failed alike. */
  add(cellKey: number, reason: string): boolean {
    if (this.#over) return false;
    const own = faultClass(reason);
    if (this.#class !== undefined && this.#class !== own) {
      this.trust();
      return false;
    }
    this.#class = own;
    this.#cells.add(cellKey);
    if (this.#cells.size < ALIKE_MAX) return false;
    this.trust();
    return true;
  }

  /** It has a result, or somebody has looked. */
  trust(): void {
    this.#over = true;
    this.#cells.clear();
  }
}

/** Reasons that differ in numbers, ids and what stands after the first line are alike. */
export function faultClass(reason: string): string {
  const [first = ""] = reason.split("\n");
  return first
    .toLowerCase()
    .replaceAll(/\b[0-9a-f]{8,}\b/gu, "#")
    .replaceAll(/[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gu, "#")
    .slice(0, CLASS_CHARS);
}
