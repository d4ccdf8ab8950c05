/** Over rows of values: half the squared error and its gradient. Sums are in the order of softmax.ts. */
import { LANES, NUMBER, VECTOR, loadPart, multiplyAdd, storePart, sumLanes } from "./simd";

/** value = 1/2 sum over a row of (y - f)^2 */
export function squaredErrorRows(f: usize, y: usize, value: usize, rows: usize, width: usize): void {
  const rest = width % LANES;
  const whole = (width - rest) * NUMBER;
  for (let i: usize = 0; i < rows; i += 1) {
    let sum = f32x4.splat(0);
    for (const end = f + whole; f < end; f += VECTOR) {
      const error = f32x4.sub(v128.load(y), v128.load(f));
      sum = multiplyAdd(error, error, sum);
      y += VECTOR;
    }
    if (rest != 0) {
      const error = f32x4.sub(loadPart(y, rest), loadPart(f, rest));
      sum = multiplyAdd(error, error, sum);
    }
    f += rest * NUMBER;
    y += rest * NUMBER;
    store<f32>(value, sumLanes(sum) * 0.5);
    value += NUMBER;
  }
}

/** df = dy (f - y), dy one number a row. */
export function squaredErrorGradient(dy: usize, f: usize, y: usize, df: usize, rows: usize, width: usize): void {
  const rest = width % LANES;
  const whole = (width - rest) * NUMBER;
  for (let i: usize = 0; i < rows; i += 1) {
    const scale = v128.load32_splat(dy);
    for (const end = f + whole; f < end; f += VECTOR) {
      v128.store(df, f32x4.mul(scale, f32x4.sub(v128.load(f), v128.load(y))));
      y += VECTOR;
      df += VECTOR;
    }
    if (rest != 0) storePart(df, f32x4.mul(scale, f32x4.sub(loadPart(f, rest), loadPart(y, rest))), rest);
    f += rest * NUMBER;
    y += rest * NUMBER;
    df += rest * NUMBER;
    dy += NUMBER;
  }
}
