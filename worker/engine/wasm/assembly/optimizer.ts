/**
 * One update of the optimizers of src/catalogue/optimizer, where the equations and their sources stand, in one pass. Every
 * operation is rounded as the plain rule rounds it and none is fused, so that an update is bitwise the plain one (but for
 * Adam's corrections, which are computed in double precision here).
 *
 * Weights, gradients and slots are [members x size]; `next` and the like are written, all else is read. A hyperparameter is
 * the address of `members` numbers, one a member. `factor` is the schedule's factor of the learning rate.
 */
import { LANES, NUMBER, VECTOR } from "./simd";
import { average, descended, read, sign, write } from "./descent";

export function updateSgd(
  weight: usize,
  gradient: usize,
  next: usize,
  members: usize,
  size: usize,
  learningRate: usize,
  factor: f32,
): void {
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  for (let k: usize = 0; k < members; k += 1) {
    const rate = load<f32>(learningRate + k * NUMBER) * factor;
    let i: usize = 0;
    for (; i < whole; i += VECTOR) {
      sgdAt(weight + i, gradient + i, next + i, LANES, rate);
    }
    if (i < bytes) {
      sgdAt(weight + i, gradient + i, next + i, (bytes - i) / NUMBER, rate);
    }
    weight += bytes;
    gradient += bytes;
    next += bytes;
  }
}

// @ts-ignore: decorator
@inline
function sgdAt(weight: usize, gradient: usize, next: usize, count: usize, rate: f32): void {
  const w = read(weight, count);
  const g = read(gradient, count);
  write(next, descended(w, g, rate), count);
}

/** Heavy-ball momentum, or Nesterov's. */
export function updateMomentum(
  weight: usize,
  gradient: usize,
  velocity: usize,
  next: usize,
  nextVelocity: usize,
  members: usize,
  size: usize,
  learningRate: usize,
  momentum: usize,
  nesterov: bool,
  factor: f32,
): void {
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  for (let k: usize = 0; k < members; k += 1) {
    const rate = load<f32>(learningRate + k * NUMBER) * factor;
    const mu = v128.load32_splat(momentum + k * NUMBER);
    let i: usize = 0;
    for (; i < whole; i += VECTOR) {
      momentumAt(weight + i, gradient + i, velocity + i, next + i, nextVelocity + i, LANES, rate, mu, nesterov);
    }
    if (i < bytes) {
      momentumAt(
        weight + i,
        gradient + i,
        velocity + i,
        next + i,
        nextVelocity + i,
        (bytes - i) / NUMBER,
        rate,
        mu,
        nesterov,
      );
    }
    weight += bytes;
    gradient += bytes;
    velocity += bytes;
    next += bytes;
    nextVelocity += bytes;
  }
}

// @ts-ignore: decorator
@inline
function momentumAt(
  weight: usize,
  gradient: usize,
  velocity: usize,
  next: usize,
  nextVelocity: usize,
  count: usize,
  rate: f32,
  mu: v128,
  nesterov: bool,
): void {
  const w = read(weight, count);
  const g = read(gradient, count);
  const v = f32x4.add(f32x4.mul(read(velocity, count), mu), g);
  const direction = nesterov ? f32x4.add(g, f32x4.mul(v, mu)) : v;
  write(nextVelocity, v, count);
  write(next, descended(w, direction, rate), count);
}

export function updateRmsprop(
  weight: usize,
  gradient: usize,
  square: usize,
  next: usize,
  nextSquare: usize,
  members: usize,
  size: usize,
  learningRate: usize,
  share: usize,
  epsilon: usize,
  factor: f32,
): void {
  const bytes = size * NUMBER;
  const whole = bytes - (bytes % VECTOR);
  for (let k: usize = 0; k < members; k += 1) {
    const rate = load<f32>(learningRate + k * NUMBER) * factor;
    const rho = v128.load32_splat(share + k * NUMBER);
    const least = v128.load32_splat(epsilon + k * NUMBER);
    let i: usize = 0;
    for (; i < whole; i += VECTOR) {
      rmspropAt(weight + i, gradient + i, square + i, next + i, nextSquare + i, LANES, rate, rho, least);
    }
    if (i < bytes) {
      rmspropAt(weight + i, gradient + i, square + i, next + i, nextSquare + i, (bytes - i) / NUMBER, rate, rho, least);
    }
    weight += bytes;
    gradient += bytes;
    square += bytes;
    next += bytes;
    nextSquare += bytes;
  }
}

// @ts-ignore: decorator
@inline
function rmspropAt(
  weight: usize,
  gradient: usize,
  square: usize,
  next: usize,
  nextSquare: usize,
  count: usize,
  rate: f32,
  rho: v128,
  least: v128,
): void {
  const w = read(weight, count);
  const g = read(gradient, count);
  const v = average(read(square, count), f32x4.mul(g, g), rho);
  const direction = f32x4.div(g, f32x4.add(f32x4.sqrt(v), least));
  write(nextSquare, v, count);
  write(next, descended(w, direction, rate), count);
}

/** The signs of `count` numbers. */
export function mapSign(x: usize, out: usize, count: usize): void {
  const whole = count - (count % LANES);
  let i: usize = 0;
  for (; i < whole; i += LANES) v128.store(out + i * NUMBER, sign(v128.load(x + i * NUMBER)));
  if (i < count) write(out + i * NUMBER, sign(read(x + i * NUMBER, count - i)), count - i);
}
