/**
 * The Gauss-Newton kernel of a trained cell at w0, from a keyed subset of its training samples.
 *
 * Per sample i (a row at one position), with outputs z_i, J_i = dz_i/dw and the loss's curvature in the outputs
 *   classes: A_i = diag(p_i) - p_i p_i^T, p_i = softmax(z_i);   values: A_i = I,
 * the generalised Gauss-Newton matrix is H = 1/N sum_i J_i^T A_i J_i (Schraudolph 2002; for cross-entropy it is the Fisher
 * matrix of the model). For 1/2 |y - f|^2 it is J^T J / N, so its non-zero eigenvalues s are those of J J^T / N.
 *
 * Rows. r_c = sqrt(p_c) J_i^T (e_c - p_i) (softmax-centred; J_i^T e_c for values) gives sum_c r_c r_c^T = J_i^T A_i J_i. When
 * all N x outputs rows fit into `mostRows` they are all taken: H is exact. Else each of R = mostRows samples gives ONE row,
 * output c drawn with q_c ~ p_c |e_c - p|^2 (values: uniformly) and scaled by sqrt(1 / q_c), so that E[r r^T] is the same and
 * all rows of a sample have one length in the outputs. With one output, or two classes, that is exact for the sample too.
 *
 * Jacobian rows come from the fused program with the member axis as the sample axis: w0 tiled, one row of data each.
 */
import { fillUniform, fold, permutation, type RandomKey } from "../../src/core/random.ts";
import { outputWidth, type Tensor, type Tensor3D } from "../../src/catalogue/entry.ts";
import { outputsOf, pullBack, type Program } from "../engine/program.ts";
import { sizeOf } from "../engine/shape.ts";
import type { FusedData } from "../train/fused-data.ts";

/** Rows of a Jacobian, scaled so that H = rows^T rows / `samples`. */
export interface KernelRows {
  /** [rows x parameters], row-major. */
  readonly values: Float32Array;
  readonly rows: number;
  readonly parameters: number;
  readonly samples: number;
  /** Every row there is: H is exact and so is its rank. */
  readonly whole: boolean;
}

export interface KernelSource {
  readonly program: Program;
  readonly data: FusedData;
  readonly dataset: number;
  /** w0: one array a parameter. */
  readonly weights: readonly Float32Array[];
  readonly key: RandomKey;
}

/** Numbers of the Jacobian that are kept, at the most: 256 MB. More parameters: fewer rows. */
const MOST_NUMBERS = 2 ** 26;
/** Numbers of one chunk of tiled weights. */
const CHUNK_NUMBERS = 2 ** 22;

/** One row to compute: which sample, and which output (undefined: to be drawn). */
interface RowPlan {
  readonly dataRow: number;
  readonly position: number;
  readonly output: number | undefined;
  readonly uniform: number;
}

export function kernelRows(source: KernelSource, mostRows: number): KernelRows {
  const { program } = source;
  const parameters = program.parameterCount;
  const plans = planRows(source, Math.max(1, Math.min(mostRows, Math.floor(MOST_NUMBERS / parameters))));
  const values = new Float32Array(plans.rows.length * parameters);
  const chunk = Math.max(1, Math.min(plans.rows.length, Math.floor(CHUNK_NUMBERS / parameters)));
  const tiled = tile(source, chunk);
  try {
    for (let from = 0; from < plans.rows.length; from += chunk) {
      const part = plans.rows.slice(from, from + chunk);
      fillRows(source, tiled, part, values.subarray(from * parameters, (from + part.length) * parameters));
    }
  } finally {
    for (const tensor of tiled) tensor.dispose();
  }
  return { values, rows: plans.rows.length, parameters, samples: plans.samples, whole: plans.whole };
}

interface Plans {
  readonly rows: readonly RowPlan[];
  readonly samples: number;
  readonly whole: boolean;
}

function planRows({ program, data, key }: KernelSource, most: number): Plans {
  const samples = data.rows("train") * program.positions;
  const outputs = outputWidth(program.task.output);
  const whole = samples * outputs <= most;
  const count = whole ? samples * outputs : most;
  const order = permutation(fold(key, "kernel-samples"), { a: 0, b: 0 }, samples);
  const uniforms = new Float32Array(count);
  fillUniform(fold(key, "kernel-outputs"), { a: 0, b: 0 }, uniforms);
  const rows = Array.from({ length: count }, (_, i): RowPlan => {
    const sample = whole ? Math.floor(i / outputs) : order[i % samples]!;
    const dataRow = Math.floor(sample / program.positions);
    const output = whole ? i % outputs : undefined;
    return { dataRow, position: sample % program.positions, output, uniform: uniforms[i]! };
  });
  return { rows, samples: whole ? samples : count, whole };
}

/** w0 as every one of `members` members. The caller owns the tensors. */
function tile({ program, weights }: KernelSource, members: number): readonly Tensor[] {
  const { tf } = program.engine;
  // Gathered: it copies whole rows, where a tile is taken apart number by number (ten times as slow on wasm).
  return program.parameters.map(({ shape }, p) =>
    tf.tidy(() => tf.gather(tf.tensor(weights[p]!, [1, ...shape], "float32"), tf.zeros([members], "int32"))),
  );
}

/** Fills `out` [part x parameters]; a short part is padded with copies of its last row. */
function fillRows(source: KernelSource, tiled: readonly Tensor[], part: readonly RowPlan[], out: Float32Array): void {
  const { program, data, dataset } = source;
  const { tf } = program.engine;
  const members = tiled[0]?.shape[0] ?? 0;
  const plans = Array.from({ length: members }, (_, i) => part[Math.min(i, part.length - 1)]!);
  tf.tidy(() => {
    const rows = Int32Array.from(plans, (plan) => plan.dataRow);
    const datasets = plans.map(() => dataset);
    const { input } = data.gather("train", datasets, rows);
    const outputs = outputsOf(program, tiled, input);
    const pulled = pullBack(program, tiled, input, directions(program, plans, outputs));
    let column = 0;
    pulled.forEach((gradient, p) => {
      const size = sizeOf(program.parameters[p]!.shape);
      const values = gradient.dataSync<"float32">();
      for (let i = 0; i < part.length; i += 1) {
        out.set(values.subarray(i * size, (i + 1) * size), i * program.parameterCount + column);
      }
      column += size;
    });
  });
}

/** What each row pulls back, [members, positions, outputs]: zero but at its position. */
function directions(program: Program, plans: readonly RowPlan[], outputs: Tensor3D): Tensor3D {
  const { tf } = program.engine;
  const width = outputWidth(program.task.output);
  const z = outputs.dataSync<"float32">();
  const v = new Float32Array(z.length);
  plans.forEach((plan, i) => {
    const from = (i * program.positions + plan.position) * width;
    const at = v.subarray(from, from + width);
    if (program.task.output.kind === "values") valueDirection(plan, at);
    else classDirection(plan, z.subarray(from, from + width), at);
  });
  return tf.tensor3d(v, [plans.length, program.positions, width], "float32");
}

function valueDirection({ output, uniform }: RowPlan, v: Float32Array): void {
  if (output === undefined) v[Math.floor(uniform * v.length)] = Math.sqrt(v.length);
  else v[output] = 1;
}

function classDirection({ output, uniform }: RowPlan, logits: Float32Array, v: Float32Array): void {
  const p = softmax(logits);
  const squares = p.reduce((sum, value) => sum + value * value, 0);
  // p_c |e_c - p|^2, and |e_c - p|^2 = 1 - 2 p_c + |p|^2.
  const lengths = p.map((value) => value * Math.max(0, 1 - 2 * value + squares));
  const total = lengths.reduce((sum, value) => sum + value, 0);
  if (total === 0) return;
  const c = output ?? draw(lengths, uniform * total);
  const q = output === undefined ? lengths[c]! / total : 1;
  const scale = Math.sqrt(p[c]! / q);
  for (let k = 0; k < v.length; k += 1) v[k] = scale * ((k === c ? 1 : 0) - p[k]!);
}

function draw(lengths: Float64Array, target: number): number {
  let sum = 0;
  let last = 0;
  for (let c = 0; c < lengths.length; c += 1) {
    if (lengths[c] === 0) continue;
    sum += lengths[c]!;
    last = c;
    if (sum > target) break;
  }
  return last;
}

function softmax(logits: Float32Array): Float64Array {
  const top = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const exponentials = Float64Array.from(logits, (value) => Math.exp(value - top));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return exponentials.map((value) => value / total);
}
