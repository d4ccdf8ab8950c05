/**
 * Token and position embeddings: h[b, t] = E[id of (b, t)] + P[t], each member from tables of its own.
 *
 * Without a kernel of ours it is a product with one-hot codes, whose gradient is a product as well: sums in a fixed order,
 * where a segment sum on a GPU adds in any order. Vocabularies here are of some tens of symbols.
 */
import { hasOwnKernel, ownKernel } from "../own-kernel.ts";
import { addRow, product } from "./dense.ts";
import { oneHotTokens } from "./flat-input.ts";
import type { Tensor, Tensor3D, Tf } from "../entry.ts";
import type { Rank } from "@tensorflow/tfjs-core";

/**
 * @param ids [K, B, T]
 * @param table E, [K, V, D]
 * @param positions P, [K, T, D]
 * @returns [K, B T, D]
 */
export function embed(tf: Tf, ids: Tensor3D, table: Tensor, positions: Tensor): Tensor3D {
  if (!hasOwnKernel(tf, "OccamEmbedding")) return plainEmbed(tf, ids, table, positions);
  const vocabulary = table.shape[1]!;
  const apply = tf.customGrad((...inputs) => {
    const save = inputs.pop() as unknown as (tensors: Tensor[]) => void;
    const [table, positions] = inputs as unknown as [Tensor, Tensor];
    const [value] = ownKernel(tf, "OccamEmbedding", { ids, table, positions }) as [Tensor];
    save([ids]);
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] => {
      const [ids] = saved as [Tensor];
      return [...ownKernel(tf, "OccamEmbeddingGrad", { ids, dy }, { vocabulary })!];
    };
    return { value, gradFunc };
  });
  return apply(table, positions) as Tensor3D;
}

/** By plain operations: the reference of the kernel `OccamEmbedding`. */
export function plainEmbed(tf: Tf, ids: Tensor3D, table: Tensor, positions: Tensor): Tensor3D {
  const [members, rows, context] = ids.shape;
  const [vocabulary, width] = table.shape.slice(1) as [number, number];
  const embedded = product(tf, oneHotTokens(tf, ids, vocabulary), table);
  // The position of a token is its place in its row: one row of T D numbers is added to each of the B.
  const byRow = tf.reshape<Rank.R3>(embedded, [members, rows, context * width]);
  const row = tf.reshape(positions, [members, 1, context * width]);
  return tf.reshape(addRow(tf, byRow, row), [members, rows * context, width]);
}
