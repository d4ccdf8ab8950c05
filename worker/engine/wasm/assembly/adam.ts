/**
 * Adam, AdamW and Lion; operands as in optimizer.ts.
 */
import { LANES, NUMBER, VECTOR } from "./simd";
import { average, decayed, descended, read, sign, write } from "./descent";

/** AdamW; Adam has no `weightDecay` (0). `step` is 1 at the first update. */
export function updateAdam(
  weight: usize,
  gradient: usize,
  mean: usize,
  square: usize,
  next: usize,
  nextMean: usize,
  nextSquare: usize,
  members: usize,
  size: usize,
  learningRate: usize,
  beta1: usize,
  beta2: usize,
  epsilon: usize,
  weightDecay: usize,
  step: i32,
  factor: f32,
): void {
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  for (let k: usize = 0; k < members; k += 1) {
    const rate = load<f32>(learningRate + k * NUMBER) * factor;
    const b1 = v128.load32_splat(beta1 + k * NUMBER);
    const b2 = v128.load32_splat(beta2 + k * NUMBER);
    const least = v128.load32_splat(epsilon + k * NUMBER);
    const lambda: f32 = weightDecay == 0 ? 0 : load<f32>(weightDecay + k * NUMBER);
    const meanCorrection = correction(beta1 + k * NUMBER, step);
    const squareCorrection = correction(beta2 + k * NUMBER, step);
    let i: usize = 0;
    for (; i < whole; i += VECTOR) {
      adamAt(
        weight + i,
        gradient + i,
        mean + i,
        square + i,
        next + i,
        nextMean + i,
        nextSquare + i,
        LANES,
        rate,
        b1,
        b2,
        least,
        meanCorrection,
        squareCorrection,
        lambda,
      );
    }
    if (i < bytes) {
      adamAt(
        weight + i,
        gradient + i,
        mean + i,
        square + i,
        next + i,
        nextMean + i,
        nextSquare + i,
        (bytes - i) / NUMBER,
        rate,
        b1,
        b2,
        least,
        meanCorrection,
        squareCorrection,
        lambda,
      );
    }
    weight += bytes;
    gradient += bytes;
    mean += bytes;
    square += bytes;
    next += bytes;
    nextMean += bytes;
    nextSquare += bytes;
  }
}

// @ts-ignore: decorator
@inline
function adamAt(
  weight: usize,
  gradient: usize,
  mean: usize,
  square: usize,
  next: usize,
  nextMean: usize,
  nextSquare: usize,
  count: usize,
  rate: f32,
  b1: v128,
  b2: v128,
  least: v128,
  meanCorrection: v128,
  squareCorrection: v128,
  lambda: f32,
): void {
  const w = read(weight, count);
  const g = read(gradient, count);
  const m = average(read(mean, count), g, b1);
  const v = average(read(square, count), f32x4.mul(g, g), b2);
  const denominator = f32x4.add(f32x4.sqrt(f32x4.mul(v, squareCorrection)), least);
  const direction = f32x4.div(f32x4.mul(m, meanCorrection), denominator);
  write(nextMean, m, count);
  write(nextSquare, v, count);
  write(next, descended(w, decayed(direction, w, lambda), rate), count);
}

export function updateLion(
  weight: usize,
  gradient: usize,
  mean: usize,
  next: usize,
  nextMean: usize,
  members: usize,
  size: usize,
  learningRate: usize,
  beta1: usize,
  beta2: usize,
  weightDecay: usize,
  factor: f32,
): void {
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  for (let k: usize = 0; k < members; k += 1) {
    const rate = load<f32>(learningRate + k * NUMBER) * factor;
    const b1 = v128.load32_splat(beta1 + k * NUMBER);
    const b2 = v128.load32_splat(beta2 + k * NUMBER);
    const lambda = load<f32>(weightDecay + k * NUMBER);
    let i: usize = 0;
    for (; i < whole; i += VECTOR) {
      lionAt(weight + i, gradient + i, mean + i, next + i, nextMean + i, LANES, rate, b1, b2, lambda);
    }
    if (i < bytes) {
      lionAt(weight + i, gradient + i, mean + i, next + i, nextMean + i, (bytes - i) / NUMBER, rate, b1, b2, lambda);
    }
    weight += bytes;
    gradient += bytes;
    mean += bytes;
    next += bytes;
    nextMean += bytes;
  }
}

// @ts-ignore: decorator
@inline
function lionAt(
  weight: usize,
  gradient: usize,
  mean: usize,
  next: usize,
  nextMean: usize,
  count: usize,
  rate: f32,
  b1: v128,
  b2: v128,
  lambda: f32,
): void {
  const w = read(weight, count);
  const g = read(gradient, count);
  const m = read(mean, count);
  const direction = sign(average(m, g, b1));
  write(nextMean, average(m, g, b2), count);
  write(next, descended(w, decayed(direction, w, lambda), rate), count);
}

/** 1 / (1 - beta^t), beta at the address. */
function correction(beta: usize, t: u32): v128 {
  let power: f64 = 1;
  let square = <f64>load<f32>(beta);
  for (let bits = t; bits != 0; bits >>= 1) {
    if ((bits & 1) != 0) power *= square;
    square *= square;
  }
  return f32x4.splat(<f32>(1 / (1 - power)));
}
