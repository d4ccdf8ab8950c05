/**
 * Polynomial regression, linear in its coefficients: f_o(x) = sum_alpha c_{alpha,o} s_alpha phi_alpha(x), with phi the
 * total-degree product basis (`product-basis.ts`) and scales s_alpha = decay^|alpha| / Z.
 *
 * With `normalise`, Z^2 = sum_alpha decay^(2|alpha|), so that coefficients c ~ N(0, 1) give a function of unit variance over
 * the distribution that the basis is orthonormal for, and one learning rate serves every degree; without it, Z = 1. In terms
 * of the unscaled coefficients w = s c, a standard normal prior on c is one of standard deviation decay^|alpha| / Z on w.
 *
 * Features are computed once for a dataset, in double precision; training sees a linear model. Tokens are read as their
 * one-hot codes, 0 and 1 for the monomial basis (whose terms are then conjunctions), -1 and 1 for the others.
 */
import { z } from "zod";
import { basisSchema, evaluateBasis, type Basis } from "./basis.ts";
import { product } from "./dense.ts";
import { flatSize, unsupportedPositions } from "./flat-input.ts";
import { countTerms, enumerateTerms, maxExponent, type ProductBasis, type Terms } from "./product-basis.ts";
import { inputSize, outputWidth, type Architecture, type Config, type InputShape, type Task } from "../entry.ts";
import { OccamError } from "../../core/errors.ts";

/** Past this degree in one variable double precision no longer tells neighbouring monomials apart. */
const MAX_DEGREE = 512;

const schema = z.strictObject({
  basis: basisSchema.default("legendre"),
  degree: z.int().min(0).max(MAX_DEGREE).default(2).describe("Largest total degree of a term; for walsh, of a subset."),
  decay: z
    .number()
    .positive()
    .max(1)
    .default(1)
    .describe("Scale of a term for each degree that it has: below 1, high degrees start out less likely."),
  normalise: z
    .boolean()
    .default(true)
    .describe("Divide all features by one number, so that standard normal coefficients give a unit-variance function."),
  initScale: z.number().nonnegative().default(0).describe("Standard deviation of the initial coefficients."),
  maxFeatures: z
    .int()
    .min(1)
    .default(20_000)
    .describe("Refuse a basis of more terms than this: features are stored for every row."),
});

type PolynomialConfig = Config & z.infer<typeof schema>;

function productBasis(config: PolynomialConfig, input: InputShape): ProductBasis {
  const twoValued = input.kind === "tokens" || config.basis === "walsh";
  const whole = input.kind === "tokens" && config.basis === "monomial";
  return {
    blocks: whole ? input.context : flatSize(input),
    blockSize: whole ? input.vocabulary : 1,
    multilinear: twoValued,
    degree: config.degree,
  };
}

function featureCount(config: PolynomialConfig, task: Task): number {
  return countTerms(productBasis(config, task.input)).reduce((sum, terms) => sum + terms, 0);
}

function unsupported(config: PolynomialConfig, task: Task): string | undefined {
  const positions = unsupportedPositions("polynomial", task);
  if (positions !== undefined) return positions;
  if (config.basis === "walsh" && task.input.kind === "image") {
    return "the walsh basis is for inputs that are -1 or 1, and pixels are not; use legendre, chebyshev or monomial";
  }
  const count = featureCount(config, task);
  if (count <= config.maxFeatures) return undefined;
  return (
    `a ${config.basis} basis of degree ${config.degree} in ${flatSize(task.input)} inputs has ${count} terms, ` +
    `more than maxFeatures (${config.maxFeatures}); lower the degree, take smaller inputs, or raise maxFeatures`
  );
}

/** s_alpha of each term. */
function scales(config: PolynomialConfig, basis: ProductBasis, terms: Terms): Float64Array {
  const counts = countTerms(basis);
  const squares = counts.reduce((sum, count, degree) => sum + count * config.decay ** (2 * degree), 0);
  const z = config.normalise ? Math.sqrt(squares) : 1;
  return Float64Array.from(terms.degree, (degree) => config.decay ** degree / z);
}

/** One stored row as coordinates: numbers as they are, tokens as their one-hot codes. */
function coordinates(input: InputShape, basis: Basis, x: Float32Array, row: number, out: Float64Array): void {
  const size = inputSize(input);
  const stored = x.subarray(row * size, (row + 1) * size);
  if (input.kind !== "tokens") {
    out.set(stored);
    return;
  }
  out.fill(basis === "monomial" ? 0 : -1);
  stored.forEach((token, position) => (out[position * input.vocabulary + token] = 1));
}

function assertSigns(values: Float64Array, row: number): void {
  const wrong = values.findIndex((value) => value !== 1 && value !== -1);
  if (wrong < 0) return;
  throw new OccamError(
    "bad-spec",
    `the walsh basis needs inputs that are -1 or 1; row ${row} has ${values[wrong]} at input ${wrong}: use another basis`,
  );
}

function prepare(config: PolynomialConfig, task: Task, x: Float32Array, rows: number): Float32Array {
  const basis = productBasis(config, task.input);
  const terms = enumerateTerms(basis);
  const scale = scales(config, basis, terms);
  const values = new Float64Array(flatSize(task.input));
  const exponents = maxExponent(basis);
  const table = new Float64Array(values.length * exponents);
  const features = new Float64Array(terms.count);
  const out = new Float32Array(rows * terms.count);
  for (let row = 0; row < rows; row += 1) {
    coordinates(task.input, config.basis, x, row, values);
    if (config.basis === "walsh") assertSigns(values, row);
    const oneDimensional = task.input.kind === "tokens" ? "monomial" : config.basis;
    values.forEach((value, j) => evaluateBasis(oneDimensional, exponents, value, table, j * exponents));
    multiplyTerms(terms, table, exponents, features);
    for (let t = 0; t < terms.count; t += 1) out[row * terms.count + t] = scale[t]! * features[t]!;
  }
  return out;
}

function multiplyTerms(terms: Terms, table: Float64Array, exponents: number, features: Float64Array): void {
  features[0] = 1;
  for (let t = 1; t < terms.count; t += 1) {
    const factor = table[terms.coordinate[t]! * exponents + terms.exponent[t]! - 1]!;
    features[t] = features[terms.parent[t]!]! * factor;
  }
}

export const polynomial: Architecture<PolynomialConfig> = {
  kind: "polynomial",
  summary: "polynomial regression: linear in the coefficients of a total-degree product basis",
  schema,
  unsupported,
  prepare,
  preparedSize: featureCount,
  parameters: (config, task) => [
    {
      name: "coefficients",
      shape: [featureCount(config, task), outputWidth(task.output)],
      initial: config.initScale === 0 ? { kind: "constant", value: 0 } : { kind: "normal", std: config.initScale },
    },
  ],
  forwardFlops: (config, task) => 2 * featureCount(config, task) * outputWidth(task.output),
  forward: ({ tf }, _config, _task, weights, input) => product(tf, input, weights[0]!),
};
