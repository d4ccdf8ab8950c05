/** The nearest spelling: what a user who mistyped a word may have meant. */

/**
 * Edits from one word to the other: insertions, deletions, substitutions and swaps of neighbours (optimal string alignment
 * distance; Damerau 1964, without repeated edits of one place).
 */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1];
      let best = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (swapped) best = Math.min(best, beforeLast[j - 2]! + 1);
      row.push(best);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length]!;
}

/** Words longer than this are not compared: the distance costs the product of the lengths. */
const LONGEST_WORD = 60;

/**
 * The candidate with the fewest edits, when they are at most a third of the word (two for a short word); else the only one
 * that the word is the beginning of. Case is ignored.
 */
export function nearestOf(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length === 0 || word.length > LONGEST_WORD) return undefined;
  const lower = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(word.length < 4 ? 1 : 2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance && distance < Math.max(word.length, candidate.length)) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ?? onlyCompletion(lower, candidates);
}

/** "poly" for "polynomial", when nothing else begins so. */
function onlyCompletion(word: string, candidates: Iterable<string>): string | undefined {
  const begun = [...candidates].filter((candidate) => candidate.toLowerCase().startsWith(word));
  return word.length >= 3 && begun.length === 1 ? begun[0] : undefined;
}
