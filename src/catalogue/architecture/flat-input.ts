/**
 * Rows as plain vectors, for architectures that know nothing of an input's structure: a vector as it is, an image by rows,
 * tokens as the concatenation of their one-hot codes.
 */
import { inputSize, type InputShape, type Task, type Tensor3D, type Tf } from "../entry.ts";

/** Length of a row as a vector. */
export function flatSize(input: InputShape): number {
  return input.kind === "tokens" ? input.context * input.vocabulary : inputSize(input);
}

/** [K, B, inputSize] to [K, B, flatSize]. */
export function flatRows(tf: Tf, input: InputShape, x: Tensor3D): Tensor3D {
  if (input.kind !== "tokens") return x;
  const [members, rows] = x.shape;
  return tf.reshape(oneHotTokens(tf, x, input.vocabulary), [members, rows, flatSize(input)]);
}

/** [K, B, context] of token ids to [K, B x context, vocabulary] of 0 and 1. */
export function oneHotTokens(tf: Tf, ids: Tensor3D, vocabulary: number): Tensor3D {
  const [members, rows, context] = ids.shape;
  const flat = tf.cast(tf.reshape(ids, [members * rows * context]), "int32");
  // Asked for float32, the wasm kernel writes the integer 1, which read as a float is 1e-45: hence the second cast.
  const oneHot = tf.cast(tf.oneHot(flat, vocabulary), "float32");
  return tf.reshape(oneHot, [members, rows * context, vocabulary]);
}

/** Why an architecture that sees a whole row at once cannot learn the task; undefined when it can. */
export function unsupportedPositions(kind: string, task: Task): string | undefined {
  if (task.output.kind === "values" || task.output.positions === 1) return undefined;
  return (
    `${kind} reads a whole row at once, so it cannot predict the next token at each of ${task.output.positions} ` +
    "positions; use the transformer, or data that asks for one prediction a row"
  );
}
