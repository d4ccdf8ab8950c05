/** Token and position embeddings (src/catalogue/architecture/transformer.ts). */
import type { WasmHeap } from "./heap.ts";
import type { OwnKernel } from "./register.ts";

/** Both of assembly/embedding.ts: ids and three tensors, then K, B, T, V, D. */
type Embed = (
  ids: number,
  a: number,
  b: number,
  c: number,
  members: number,
  rows: number,
  context: number,
  vocabulary: number,
  width: number,
) => void;

interface EmbeddingExports {
  readonly embed: Embed;
  readonly embedGradient: Embed;
}

const exportsOf = (heap: WasmHeap): EmbeddingExports => heap.kernels.exports as unknown as EmbeddingExports;

/** ids [K, B, T] as numbers, table [K, V, D], positions [K, T, D]; puts out [K, B T, D]. */
const embedding: OwnKernel = (heap, { inputs }) => {
  const [ids, table, positions] = [inputs["ids"]!, inputs["table"]!, inputs["positions"]!];
  const [members, rows, context] = ids.shape as [number, number, number];
  const [vocabulary, width] = table.shape.slice(1) as [number, number];
  const out = heap.output([members, rows * context, width]);
  const [i, t, p, y] = [heap.at(ids), heap.at(table), heap.at(positions), heap.at(out)];
  exportsOf(heap).embed(i, t, p, y, members, rows, context, vocabulary, width);
  return out;
};

/** ids as above, dy [K, B T, D]; puts out the gradients of table and positions. */
const embeddingGrad: OwnKernel = (heap, { inputs, attrs }) => {
  const [ids, dy] = [inputs["ids"]!, inputs["dy"]!];
  const vocabulary = attrs["vocabulary"] as number;
  const [members, rows, context] = ids.shape as [number, number, number];
  const width = dy.shape[2]!;
  const dTable = heap.output([members, vocabulary, width]);
  const dPositions = heap.output([members, context, width]);
  const [i, d, t, p] = [heap.at(ids), heap.at(dy), heap.at(dTable), heap.at(dPositions)];
  exportsOf(heap).embedGradient(i, d, t, p, members, rows, context, vocabulary, width);
  return [dTable, dPositions];
};

export const embeddingKernels: Readonly<Record<string, OwnKernel>> = {
  OccamEmbedding: embedding,
  OccamEmbeddingGrad: embeddingGrad,
};
