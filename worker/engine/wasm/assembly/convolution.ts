/**
 * Convolutions of planes, channels first, and their gradients, image by image. Nothing of the size of the patches is
 * ever made: every product is taken from where its pixel lies between zeros (`padded-planes.ts`).
 *
 *   y[o, h, w] = b[o] + sum over (i, j, c) of x[c, h + i - k/2, w + j - k/2] W[(i, j, c), o]
 *
 * with k odd and k/2 rounded down. A correlation of dy with W turned by half a circle, its channels swapped, gives the
 * gradient of x. Sums go by (i, j, c), those of a gradient by images, rows and columns: a member's bits depend on its own
 * planes and weights alone.
 */
import { NONE, activate, activateGradient } from "./activation";
import { correlate, packTurned, packWeights, weightBytes } from "./correlation";
import { listPlaces, listTaps, pad, paddedBytes, placesBytes, roundUp, tapsBytes } from "./padded-planes";
import { LANES, NUMBER, VECTOR, sumLanes } from "./simd";
import { addBiasSums, addWeightSums, sumBytes, writeSums } from "./weight-sums";

export function convolveScratchBytes(
  channels: usize,
  outputs: usize,
  height: usize,
  width: usize,
  kernel: usize,
): usize {
  const taps = kernel * kernel * channels;
  return (
    placesBytes(height, width) +
    tapsBytes(taps) +
    weightBytes(taps, outputs) +
    paddedBytes(channels, height, width, kernel)
  );
}

/**
 * @param image [K, C, B H W]
 * @param weight [K, k k C, O], rows ordered by (i, j, c)
 * @param bias [K, O]
 * @param out phi(y), [K, O, B H W]
 * @param slope as out, written for gelu
 * @param kind phi, of activation.ts
 * @param scratch convolveScratchBytes
 */
export function convolve(
  image: usize,
  weight: usize,
  bias: usize,
  out: usize,
  slope: usize,
  members: usize,
  rows: usize,
  channels: usize,
  outputs: usize,
  height: usize,
  width: usize,
  kernel: usize,
  kind: i32,
  scratch: usize,
): void {
  const taps = kernel * kernel * channels;
  const pixels = height * width * NUMBER;
  const places = scratch;
  const offsets = places + placesBytes(height, width);
  const packed = offsets + tapsBytes(taps);
  const padded = packed + weightBytes(taps, outputs);
  listPlaces(places, height, width, kernel, true);
  listTaps(offsets, channels, height, width, kernel);
  memory.fill(padded, 0, paddedBytes(channels, height, width, kernel));
  for (let m: usize = 0; m < members; m += 1) {
    const own = weight + m * taps * outputs * NUMBER;
    const ownBias = bias + m * outputs * NUMBER;
    packWeights(own, ownBias, packed, kernel * kernel, channels, outputs, channels * outputs, outputs, 1);
    for (let b: usize = 0; b < rows; b += 1) {
      const from = image + (m * channels * rows + b) * pixels;
      pad(from, rows * pixels, padded, channels, height, width, kernel);
      const at = (m * outputs * rows + b) * pixels;
      correlate(padded, offsets, taps, packed, out + at, rows * pixels, outputs, places, height, width);
      activatePlanes(kind, out + at, slope + at, rows * pixels, outputs, height * width);
    }
  }
}

/** In place, planes `step` bytes apart. */
function activatePlanes(kind: i32, y: usize, slope: usize, step: usize, outputs: usize, count: usize): void {
  if (kind == NONE) return;
  for (let o: usize = 0; o < outputs; o += 1) {
    activate(kind, y, y, slope, count);
    y += step;
    slope += step;
  }
}

export function convolutionGradientScratchBytes(
  channels: usize,
  outputs: usize,
  height: usize,
  width: usize,
  kernel: usize,
): usize {
  const area = kernel * kernel;
  return (
    2 * placesBytes(height, width) +
    tapsBytes(area * channels) +
    tapsBytes(area * outputs) +
    weightBytes(area * outputs, channels) +
    paddedBytes(channels + outputs, height, width, kernel) +
    sumBytes(area * channels, outputs) +
    outputs * VECTOR +
    outputs * height * width * NUMBER
  );
}

/**
 * Gradients from dy, that of phi(y): those of y are made of it image by image.
 * @param dy [K, O, B H W]
 * @param kept phi(y), or gelu's slope, as dy; not read without phi
 * @param dImage [K, C, B H W], or 0 where it is not asked for
 * @param dWeight [K, k k C, O]
 * @param dBias [K, O]
 * @param scratch convolutionGradientScratchBytes
 */
export function convolutionGradient(
  image: usize,
  weight: usize,
  dy: usize,
  kept: usize,
  dImage: usize,
  dWeight: usize,
  dBias: usize,
  members: usize,
  rows: usize,
  channels: usize,
  outputs: usize,
  height: usize,
  width: usize,
  kernel: usize,
  kind: i32,
  scratch: usize,
): void {
  const area = kernel * kernel;
  const taps = area * channels;
  const pixels = height * width * NUMBER;
  const places = scratch;
  const shifted = places + placesBytes(height, width);
  const offsets = shifted + placesBytes(height, width);
  const backOffsets = offsets + tapsBytes(taps);
  const packed = backOffsets + tapsBytes(area * outputs);
  const paddedX = packed + weightBytes(area * outputs, channels);
  const paddedY = paddedX + paddedBytes(channels, height, width, kernel);
  const sums = paddedY + paddedBytes(outputs, height, width, kernel);
  const biasSums = sums + sumBytes(taps, outputs);
  const dz = biasSums + outputs * VECTOR;
  const vectors = height * (roundUp(width) / LANES);
  listPlaces(places, height, width, kernel, false);
  listPlaces(shifted, height, width, kernel, true);
  listTaps(offsets, channels, height, width, kernel);
  listTaps(backOffsets, outputs, height, width, kernel);
  memory.fill(paddedX, 0, sums - paddedX);
  for (let m: usize = 0; m < members; m += 1) {
    if (dImage != 0) packTurned(weight + m * taps * outputs * NUMBER, packed, area, channels, outputs);
    memory.fill(sums, 0, sumBytes(taps, outputs) + outputs * VECTOR);
    for (let b: usize = 0; b < rows; b += 1) {
      const at = (m * outputs * rows + b) * pixels;
      const from = (m * channels * rows + b) * pixels;
      pad(image + from, rows * pixels, paddedX, channels, height, width, kernel);
      let own = dy + at;
      let step = rows * pixels;
      if (kind != NONE) {
        gradientPlanes(kind, own, kept + at, step, dz, outputs, height * width);
        own = dz;
        step = pixels;
      }
      pad(own, step, paddedY, outputs, height, width, kernel);
      addWeightSums(paddedX, paddedY, offsets, taps, outputs, places, vectors, height, width, kernel, sums);
      addBiasSums(paddedY, outputs, places, vectors, height, width, kernel, biasSums);
      if (dImage != 0) {
        const to = dImage + from;
        correlate(paddedY, backOffsets, area * outputs, packed, to, rows * pixels, channels, shifted, height, width);
      }
    }
    writeSums(sums, taps, outputs, dWeight + m * taps * outputs * NUMBER);
    for (let o: usize = 0; o < outputs; o += 1) {
      store<f32>(dBias + (m * outputs + o) * NUMBER, sumLanes(v128.load(biasSums + o * VECTOR)));
    }
  }
}

/** dz = dy phi'(z) of one image: planes `step` bytes apart, to adjacent ones. */
function gradientPlanes(
  kind: i32,
  dy: usize,
  kept: usize,
  step: usize,
  dz: usize,
  outputs: usize,
  count: usize,
): void {
  for (let o: usize = 0; o < outputs; o += 1) {
    activateGradient(kind, dy, kept, dz, count);
    dy += step;
    kept += step;
    dz += count * NUMBER;
  }
}
