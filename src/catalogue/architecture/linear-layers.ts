/**
 * A product of matrices, x W_1 W_2 ... W_L, of widths d_0 .. d_L: what linear networks share, and the weights at which their
 * learning coefficient is known. With r the rank of the true map:
 *   canonical  every layer zero but an identity of size r in its top-left corner;
 *   generic    layers as they start at random; where r is below the smallest width, one of them, chosen by the key, is a product
 *              of two Gaussian factors of inner size r, scaled to the variance that its entries would have had.
 */
import { z } from "zod";
import { fillIntegers, fillNormal, fold, type RandomKey } from "../../core/random.ts";
import { product, weightParameter } from "./dense.ts";
import type { ForwardContext, Parameter, StartWeights, Tensor, Tensor3D } from "../entry.ts";

/** d_0 .. d_L, from the inputs to the outputs. */
export type Widths = readonly number[];

export const rankField = z
  .union([z.int().min(0), z.literal("auto")])
  .default("auto")
  .describe("Rank of the true map at a canonical or generic start; auto: the smallest width.");

type RankField = z.infer<typeof rankField>;

/** r */
export function rankOf(widths: Widths, rank: RankField): number {
  return rank === "auto" ? Math.min(...widths) : rank;
}

/** Why no map of these widths has the rank; undefined when one has. */
export function unsupportedRank(widths: Widths, rank: RankField): string | undefined {
  const smallest = Math.min(...widths);
  if (rankOf(widths, rank) <= smallest) return undefined;
  return `rank ${rank} is more than ${smallest}, the smallest of the widths ${widths.join("-")}`;
}

export function layerParameters(widths: Widths, names: readonly string[], initScale: number): readonly Parameter[] {
  return names.map((name, layer) => weightParameter(name, widths[layer]!, widths[layer + 1]!, initScale));
}

export function layerFlops(widths: Widths): number {
  return widths.slice(1).reduce((sum, fanOut, layer) => sum + 2 * widths[layer]! * fanOut, 0);
}

/** x W_1 .. W_L; what stands between two layers is a hidden activation. */
export function throughLayers(context: ForwardContext, x: Tensor3D, layers: readonly Tensor[]): Tensor3D {
  const { tf } = context;
  const inner = layers.slice(0, -1).reduce<Tensor3D>((a, weight) => context.hidden(product(tf, a, weight)), x);
  return product(tf, inner, layers.at(-1)!);
}

export function canonicalLayers(widths: Widths, rank: number): StartWeights {
  return widths.slice(1).map((fanOut, layer) => {
    const weight = new Float32Array(widths[layer]! * fanOut);
    for (let i = 0; i < rank; i += 1) weight[i * fanOut + i] = 1;
    return weight;
  });
}

export function genericLayers(widths: Widths, rank: number, initScale: number, key: RandomKey): StartWeights {
  const deficient = deficientLayer(widths, rank, key);
  return widths.slice(1).map((fanOut, layer) => {
    const fanIn = widths[layer]!;
    return layer === deficient ? ofRank(rank, fanIn, fanOut, initScale / Math.sqrt(fanIn), key) : undefined;
  });
}

/** The rank of each layer of `genericLayers`. */
export function genericLayerRanks(widths: Widths, rank: number, key: RandomKey): readonly number[] {
  const deficient = deficientLayer(widths, rank, key);
  return widths.slice(1).map((fanOut, layer) => (layer === deficient ? rank : Math.min(widths[layer]!, fanOut)));
}

/** Which layer has the rank; undefined when random layers have it already. */
function deficientLayer(widths: Widths, rank: number, key: RandomKey): number | undefined {
  if (rank >= Math.min(...widths)) return undefined;
  const drawn = new Int32Array(1);
  fillIntegers(fold(key, "deficient-layer"), { a: 0, b: 0 }, widths.length - 1, drawn);
  return drawn[0];
}

/** std / sqrt(r) A B, A [fanIn, r] and B [r, fanOut] of standard normals: entries have the standard deviation `std`. */
function ofRank(rank: number, fanIn: number, fanOut: number, std: number, key: RandomKey): Float32Array {
  const [left, right] = [new Float32Array(fanIn * rank), new Float32Array(rank * fanOut)];
  fillNormal(fold(key, "factor", 0), { a: 0, b: 0 }, left);
  fillNormal(fold(key, "factor", 1), { a: 0, b: 0 }, right);
  const sums = new Float64Array(fanIn * fanOut);
  for (let i = 0; i < fanIn; i += 1) {
    for (let k = 0; k < rank; k += 1) {
      const factor = (std / Math.sqrt(rank)) * left[i * rank + k]!;
      for (let j = 0; j < fanOut; j += 1) sums[i * fanOut + j]! += factor * right[k * fanOut + j]!;
    }
  }
  return Float32Array.from(sums);
}
