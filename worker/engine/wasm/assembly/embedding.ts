/**
 * Embeddings: out[t] = table[id of t] + positions[place of t], and the gradients of both tables, summed in the order of
 * rows.
 */
import { LANES, NUMBER, VECTOR, loadPart, storePart } from "./simd";

/**
 * @param ids [K, B T]; one outside [0, vocabulary) has no token's part, as its one-hot code would have none
 * @param table [K, V, D]
 * @param positions [K, T, D]
 * @param out [K, B T, D]
 */
export function embed(
  ids: usize,
  table: usize,
  positions: usize,
  out: usize,
  members: usize,
  rows: usize,
  context: usize,
  vocabulary: usize,
  width: usize,
): void {
  const bytes = width * NUMBER;
  for (let m: usize = 0; m < members; m += 1) {
    for (let b: usize = 0; b < rows; b += 1) {
      for (let t: usize = 0; t < context; t += 1) {
        const id = load<f32>(ids);
        const position = positions + t * bytes;
        if (isToken(id, vocabulary)) sumOf(table + <usize>id * bytes, position, out, width);
        else memory.copy(out, position, bytes);
        ids += NUMBER;
        out += bytes;
      }
    }
    table += vocabulary * bytes;
    positions += context * bytes;
  }
}

/** Gradients of `table` and `positions` from dy [K, B T, D]. */
export function embedGradient(
  ids: usize,
  dy: usize,
  dTable: usize,
  dPositions: usize,
  members: usize,
  rows: usize,
  context: usize,
  vocabulary: usize,
  width: usize,
): void {
  const bytes = width * NUMBER;
  memory.fill(dTable, 0, members * vocabulary * bytes);
  memory.fill(dPositions, 0, members * context * bytes);
  for (let m: usize = 0; m < members; m += 1) {
    for (let b: usize = 0; b < rows; b += 1) {
      for (let t: usize = 0; t < context; t += 1) {
        const id = load<f32>(ids);
        const position = dPositions + t * bytes;
        sumOf(position, dy, position, width);
        if (isToken(id, vocabulary)) {
          const token = dTable + <usize>id * bytes;
          sumOf(token, dy, token, width);
        }
        ids += NUMBER;
        dy += bytes;
      }
    }
    dTable += vocabulary * bytes;
    dPositions += context * bytes;
  }
}

/** False for NaN. */
// @ts-ignore: decorator
@inline
function isToken(id: f32, vocabulary: usize): bool {
  return id >= 0 && id < <f32>vocabulary;
}

// @ts-ignore: decorator
@inline
function sumOf(a: usize, b: usize, out: usize, count: usize): void {
  const rest = count % LANES;
  const whole = (count - rest) * NUMBER;
  for (let at: usize = 0; at < whole; at += VECTOR) {
    v128.store(out + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
  }
  if (rest != 0) storePart(out + whole, f32x4.add(loadPart(a + whole, rest), loadPart(b + whole, rest)), rest);
}
