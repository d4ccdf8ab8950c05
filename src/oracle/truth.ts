/**
 * The learning coefficient that a cell's estimate should read, where the configuration alone says it: the truth is then a point
 * of the cell's own parameter space (realizable data), or the model is quadratic in its parameters whatever the truth.
 *
 * Invariants:
 * 1. Nothing is said that is not known: rows must span the features, and a local coefficient is that of weights that no update
 *    has moved.
 * 2. K is that of the training rows, 1/2 E|f(x) - f*(x)|^2 over them. With a second moment of full rank it is equivalent to the
 *    |W - W*|^2 of the literature and has its coefficient; at a finite t only `basis` inputs make the two the same up to a factor.
 */
import { outputWidth } from "../catalogue/entry.ts";
import { genericLayerRanks, rankOf, type Widths } from "../catalogue/architecture/linear-layers.ts";
import { numbersOf } from "../catalogue/number-list.ts";
import { architectureOf } from "../catalogue/registry.ts";
import { taskOf, type CellConfig } from "../spec/cell.ts";
import { startKey, startOf } from "../spec/start.ts";
import { deepLinear, localDeepLinear } from "./deep-linear.ts";
import { normalCrossing, normalCrossingAtT, powerSum, powerSumAtT } from "./normal-crossing.ts";
import { rankArrayOfLayers } from "./rank-array.ts";
import { reducedRankAtT } from "./reduced-rank-at-t.ts";
import { quadraticAtT, regular } from "./regular.ts";

export interface Truth {
  /** The global coefficient: the least over all weights that fit. */
  readonly lambda: number;
  /** Of the global coefficient. */
  readonly multiplicity: number;
  /** The coefficient at the weights that the cell is estimated at; undefined where they are not known. */
  readonly localLambda: number | undefined;
  /** t E_t[K] at inverse temperature t and pull gamma to the weights, exactly; undefined where no closed form is. */
  atT(t: number, gamma: number): number | undefined;
}

/** The least of inputs, hidden units and outputs up to which `reducedRankAtT` is exact. */
const MOST_EIGENVALUES = 3;

/** Configurations do not change, so each is judged once. */
const judged = new WeakMap<CellConfig, Truth | "unknown">();

export function truthOf(config: CellConfig): Truth | undefined {
  const known = judged.get(config) ?? judge(config) ?? "unknown";
  judged.set(config, known);
  return known === "unknown" ? undefined : known;
}

function judge(config: CellConfig): Truth | undefined {
  switch (config.architecture.kind) {
    case "deep-linear":
    case "reduced-rank":
      return ofLinearLayers(config);
    case "normal-crossing":
      return ofNormalCrossing(config);
    case "polynomial":
    case "mlp":
      return ofLinearModel(config);
    default:
      return undefined;
  }
}

const unknownAtT = (): undefined => undefined;

/**
 * c where the training rows have E x x^T = c I exactly, the model's output scale included, and the cell is estimated at their
 * exact minimum: there K is c/2 times the polynomial of the weights that the closed forms are of.
 */
function curvatureOf({ train, data, architecture }: CellConfig): number | undefined {
  const isAtTruth = startOf(train) !== "random" && train.steps === 0 && data["noise"] === 0;
  if (!isAtTruth || data["distribution"] !== "basis") return undefined;
  const factor = Number(data["scale"]) * Number(architecture["outputScale"] ?? 1);
  return factor ** 2 / Number(data["inputs"]);
}

/** A model of d parameters whose loss is a quadratic of full rank. */
function regularTruth(parameters: number, atT: Truth["atT"] = unknownAtT): Truth {
  const lambda = regular(parameters);
  return { lambda, multiplicity: 1, localLambda: lambda, atT };
}

/**
 * Outputs linear in features, each with its own weights: d/2 wherever the weights are. The polynomials of a basis are linearly
 * independent, and rows of a density are in general position for them; unit vectors are not once there is a constant.
 */
function ofLinearModel(config: CellConfig): Truth | undefined {
  const { architecture, data } = config;
  const isGeneric = data.kind === "teacher-student" || (data.kind === "realizable" && data["distribution"] !== "basis");
  if (!isGeneric || (architecture.kind === "mlp" && architecture["depth"] !== 0)) return undefined;
  const task = taskOf(config);
  const prepared = architectureOf(architecture).preparedSize(architecture, task);
  const features = architecture.kind === "mlp" ? prepared + 1 : prepared;
  return features > task.trainRows ? undefined : regularTruth(features * outputWidth(task.output));
}

function ofLinearLayers(config: CellConfig): Truth | undefined {
  const { architecture, data } = config;
  if (data.kind !== "teacher-student" && data.kind !== "realizable") return undefined;
  const widths = widthsOf(config);
  if (taskOf(config).trainRows < widths[0]!) return undefined;
  if (widths.length === 2) return ofOneLayer(config, widths);
  const start = startOf(config.train);
  if (start === "random") return undefined;
  const rank = start === "teacher" ? Math.min(...widths) : rankOf(widths, architecture["rank"] as number | "auto");
  const atT = start === "canonical" && rank === 0 ? zeroAtT(config, widths) : unknownAtT;
  return { ...deepLinear(widths, rank), localLambda: localOf(config, widths, rank), atT };
}

/** Two layers at weights 0. */
function zeroAtT(config: CellConfig, [inputs, hidden, outputs, more]: Widths): Truth["atT"] {
  const curvature = curvatureOf(config);
  const shape = { inputs: inputs!, hidden: hidden!, outputs: outputs! };
  const isKnown = more === undefined && Math.min(...Object.values(shape)) <= MOST_EIGENVALUES;
  if (curvature === undefined || !isKnown) return unknownAtT;
  return (t, gamma) => reducedRankAtT(shape, (t * curvature) / 2, gamma);
}

/** d_0 .. d_L, from the layers' shapes. */
function widthsOf(config: CellConfig): Widths {
  const layers = architectureOf(config.architecture).parameters(config.architecture, taskOf(config));
  return [layers[0]!.shape[0]!, ...layers.map(({ shape }) => shape[1]!)];
}

/** One matrix is a quadratic model, at a finite t too. */
function ofOneLayer(config: CellConfig, [inputs, outputs]: Widths): Truth {
  const parameters = inputs! * outputs!;
  const curvature = curvatureOf(config);
  const atT = (t: number, gamma: number): number => parameters * quadraticAtT([curvature!], t, gamma);
  return regularTruth(parameters, curvature === undefined ? unknownAtT : atT);
}

function localOf({ train, seed }: CellConfig, widths: Widths, rank: number): number | undefined {
  if (train.steps > 0) return undefined;
  const ranks =
    startOf(train) === "canonical" ? widths.slice(1).map(() => rank) : genericLayerRanks(widths, rank, startKey(seed));
  return localDeepLinear(rankArrayOfLayers(widths, ranks));
}

/** At the truth 0, w = 0 is the worst point; away from it the set that fits is smooth, and only w_i -> w_i^k_i is left. */
function ofNormalCrossing(config: CellConfig): Truth | undefined {
  const { architecture, train } = config;
  const start = startOf(train);
  if (start === "random") return undefined;
  const powers = numbersOf(architecture["powers"] as string);
  const isSum = architecture["form"] === "sum";
  if (start === "teacher") return regularTruth(isSum ? powers.length : 1);
  const doubled = powers.map((power) => 2 * power);
  const known = isSum ? powerSum(doubled) : normalCrossing(powers);
  const curvature = curvatureOf(config);
  const atT = (t: number, gamma: number): number => {
    const scaled = (t * curvature!) / 2;
    return isSum ? powerSumAtT(doubled, scaled, gamma) : normalCrossingAtT(powers, scaled, gamma);
  };
  const localLambda = train.steps > 0 ? undefined : known.lambda;
  return { ...known, localLambda, atT: curvature === undefined ? unknownAtT : atT };
}
