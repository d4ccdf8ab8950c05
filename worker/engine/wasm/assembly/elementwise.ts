/** Functions of each number of a tensor. In and out may be the same. */
import { errorFunction, exponential, hyperbolicTangent, logarithm } from "./math";
import { LANES, NUMBER, VECTOR, loadPart, storePart } from "./simd";

const EXP = 0;
const LOG = 1;
const TANH = 2;
const ERF = 3;

/** `kind` is a constant where this is inlined: no choice is left in the loop. */
// @ts-ignore: decorator
@inline
function valueOf(kind: i32, x: v128): v128 {
  if (kind == EXP) return exponential(x);
  if (kind == LOG) return logarithm(x);
  if (kind == TANH) return hyperbolicTangent(x);
  return errorFunction(x);
}

// @ts-ignore: decorator
@inline
function map(kind: i32, x: usize, out: usize, count: usize): void {
  const rest = count % LANES;
  const end = x + (count - rest) * NUMBER;
  for (; x < end; x += VECTOR) {
    v128.store(out, valueOf(kind, v128.load(x)));
    out += VECTOR;
  }
  if (rest != 0) storePart(out, valueOf(kind, loadPart(x, rest)), rest);
}

export function mapExp(x: usize, out: usize, count: usize): void {
  map(EXP, x, out, count);
}

export function mapLog(x: usize, out: usize, count: usize): void {
  map(LOG, x, out, count);
}

export function mapTanh(x: usize, out: usize, count: usize): void {
  map(TANH, x, out, count);
}

export function mapErf(x: usize, out: usize, count: usize): void {
  map(ERF, x, out, count);
}
