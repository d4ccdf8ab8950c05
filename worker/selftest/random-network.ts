/**
 * Random deep linear networks after Furman and Lau, "Estimating the local learning coefficient at scale", arXiv 2402.03698,
 * appendix E.2: depth and widths uniform, kept when the number of parameters is near what is asked for; weights
 * N(0, 2/(fan in + fan out)); with probability 1/2 one layer, any, has a rank drawn uniformly instead of a full one.
 */
import { fillIntegers, fillNormal, fold, type RandomKey } from "../../src/core/random.ts";
import { OccamError } from "../../src/core/errors.ts";
import { canonicalLayers } from "../../src/catalogue/architecture/linear-layers.ts";
import { deepLinear, localDeepLinear, rankArrayOfLayers } from "../../src/oracle/deep-linear.ts";

export interface EnsembleShape {
  readonly mostLayers: number;
  readonly leastWidth: number;
  readonly mostWidth: number;
  /** ln of the parameters, and by how much a network may differ. */
  readonly logParameters: number;
  readonly within: number;
}

export interface RandomNetwork {
  readonly widths: readonly number[];
  /** Of each layer. */
  readonly ranks: readonly number[];
  /** Of the map. */
  readonly rank: number;
  readonly parameters: number;
}

const LEAST_LAYERS = 2;
/** About one draw in ten is kept. */
const MOST_DRAWS = 10_000;

export function randomNetwork(shape: EnsembleShape, key: RandomKey): RandomNetwork {
  for (let draw = 0; draw < MOST_DRAWS; draw += 1) {
    const own = fold(key, "shape", draw);
    const layers = integer(own, "layers", LEAST_LAYERS, shape.mostLayers);
    const widths = Array.from({ length: layers + 1 }, (_, i) =>
      integer(own, `width ${i}`, shape.leastWidth, shape.mostWidth),
    );
    const parameters = widths.slice(1).reduce((sum, width, s) => sum + widths[s]! * width, 0);
    if (Math.abs(Math.log(parameters) - shape.logParameters) > shape.within) continue;
    const ranks = ranksOf(widths, own);
    return { widths, ranks, rank: Math.min(...ranks), parameters };
  }
  throw new OccamError("internal", `no network of these shapes in ${MOST_DRAWS} draws`);
}

function ranksOf(widths: readonly number[], key: RandomKey): readonly number[] {
  const full = widths.slice(1).map((width, s) => Math.min(widths[s]!, width));
  if (integer(key, "is reduced", 0, 1) === 0) return full;
  const reduced = integer(key, "reduced layer", 0, full.length - 1);
  return full.map((rank, s) => (s === reduced ? integer(key, "reduced rank", 0, rank) : rank));
}

/** lambda at canonical weights, which is the global one, and the local one at generic weights. */
export function truthsOf({ widths, ranks, rank }: RandomNetwork): {
  readonly canonical: number;
  readonly generic: number;
} {
  const { lambda } = deepLinear(widths, rank);
  return { canonical: lambda, generic: localDeepLinear(rankArrayOfLayers(widths, ranks)) };
}

export const canonicalWeights = ({ widths, rank }: RandomNetwork): readonly Float32Array[] =>
  canonicalLayers(widths, rank).map((layer) => layer!);

/** A layer of full rank is drawn as it is; another is a product of two Gaussian factors whose entries have the same variance. */
export function genericWeights({ widths, ranks }: RandomNetwork, key: RandomKey): readonly Float32Array[] {
  return ranks.map((rank, s) => {
    const [rows, columns] = [widths[s]!, widths[s + 1]!];
    const std = Math.sqrt(2 / (rows + columns));
    const own = fold(key, "layer", s);
    if (rank === Math.min(rows, columns)) return normals(own, "whole", rows * columns).map((value) => std * value);
    const [left, right] = [normals(own, "left", rows * rank), normals(own, "right", rank * columns)];
    const values = new Float32Array(rows * columns);
    for (let i = 0; i < rows; i += 1) {
      for (let j = 0; j < columns; j += 1) {
        let sum = 0;
        for (let k = 0; k < rank; k += 1) sum += left[i * rank + k]! * right[k * columns + j]!;
        values[i * columns + j] = rank === 0 ? 0 : (std * sum) / Math.sqrt(rank);
      }
    }
    return values;
  });
}

function normals(key: RandomKey, purpose: string, count: number): Float32Array {
  const values = new Float32Array(count);
  fillNormal(fold(key, purpose), { a: 0, b: 0 }, values);
  return values;
}

/** Uniform on from .. to. */
function integer(key: RandomKey, purpose: string, from: number, to: number): number {
  const drawn = new Int32Array(1);
  fillIntegers(fold(key, purpose), { a: 0, b: 0 }, to - from + 1, drawn);
  return from + drawn[0]!;
}
