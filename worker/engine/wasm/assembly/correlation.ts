/**
 * The correlation of one padded image with packed weights: y[o] = b[o] + sum over taps of x moved by the tap times its
 * weight, added up in the order of the taps. Tiles of four outputs by two vectors of pixels are kept in registers.
 */
import { PLACE, placesBytes } from "./padded-planes";
import { LANES, NUMBER, VECTOR, multiplyAdd, storePart } from "./simd";

/** Outputs of a tile. */
const TALL: usize = 4;

/** Bytes of packed weights. */
export function weightBytes(taps: usize, outputs: usize): usize {
  return ((outputs + TALL - 1) / TALL) * (taps + 1) * VECTOR;
}

/**
 * Weights as tiles read them: for each four outputs, a vector of biases, then one for each tap; and zeros where there are
 * no four. Where outputs are no multiple of four, and not fewer, the last four begin earlier: some are computed twice, to
 * the same bits. Steps are in numbers.
 */
export function packWeights(
  weight: usize,
  bias: usize,
  to: usize,
  area: usize,
  channels: usize,
  outputs: usize,
  areaStep: isize,
  channelStep: isize,
  outputStep: isize,
): void {
  for (let block: usize = 0; block < outputs; block += TALL) {
    const first = firstOf(block, outputs);
    const count = min<usize>(TALL, outputs - first);
    v128.store(to, f32x4.splat(0));
    if (bias != 0) {
      for (let o: usize = 0; o < count; o += 1) store<f32>(to + o * NUMBER, load<f32>(bias + (first + o) * NUMBER));
    }
    to += VECTOR;
    for (let t: usize = 0; t < area; t += 1) {
      for (let c: usize = 0; c < channels; c += 1) {
        const from = <isize>t * areaStep + <isize>c * channelStep + <isize>first * outputStep;
        v128.store(to, f32x4.splat(0));
        for (let o: usize = 0; o < count; o += 1) {
          store<f32>(to + o * NUMBER, load<f32>(weight + (from + <isize>o * outputStep) * NUMBER));
        }
        to += VECTOR;
      }
    }
  }
}

/** Weights of the way back: from outputs to channels, turned by half a circle. */
export function packTurned(weight: usize, to: usize, area: usize, channels: usize, outputs: usize): void {
  const tap = channels * outputs;
  packWeights(weight + (area - 1) * tap * NUMBER, 0, to, area, outputs, channels, -(<isize>tap), 1, outputs);
}

// @ts-ignore: decorator
@inline
function firstOf(block: usize, outputs: usize): usize {
  return outputs >= TALL ? min<usize>(block, outputs - TALL) : block;
}

/** One padded image: all outputs at all places. */
export function correlate(
  padded: usize,
  offsets: usize,
  taps: usize,
  packed: usize,
  out: usize,
  outStep: usize,
  outputs: usize,
  places: usize,
  height: usize,
  width: usize,
): void {
  const end = places + placesBytes(height, width);
  const part = min<usize>(LANES, width);
  for (let block: usize = 0; block < outputs; block += TALL) {
    const first = firstOf(block, outputs);
    const count = min<usize>(TALL, outputs - first);
    const to = out + first * outStep;
    for (let place = places; place < end; place += 2 * PLACE) {
      const x0 = padded + load<u32>(place);
      const x1 = padded + load<u32>(place, PLACE);
      const y0 = to + load<u32>(place, 4);
      const y1 = to + load<u32>(place, PLACE + 4);
      tile(x0, x1, offsets, taps, packed, y0, y1, outStep, count, part);
    }
    packed += (taps + 1) * VECTOR;
  }
}

/** Four outputs of two vectors of pixels. */
function tile(
  x0: usize,
  x1: usize,
  offsets: usize,
  taps: usize,
  weights: usize,
  y0: usize,
  y1: usize,
  outStep: usize,
  count: usize,
  part: usize,
): void {
  let s00 = v128.load32_splat(weights);
  let s10 = v128.load32_splat(weights, 4);
  let s20 = v128.load32_splat(weights, 8);
  let s30 = v128.load32_splat(weights, 12);
  let s01 = s00;
  let s11 = s10;
  let s21 = s20;
  let s31 = s30;
  const end = offsets + taps * NUMBER;
  for (; offsets < end; offsets += NUMBER) {
    weights += VECTOR;
    const offset = load<u32>(offsets);
    const a = v128.load(x0 + offset);
    const b = v128.load(x1 + offset);
    const w0 = v128.load32_splat(weights);
    s00 = multiplyAdd(w0, a, s00);
    s01 = multiplyAdd(w0, b, s01);
    const w1 = v128.load32_splat(weights, 4);
    s10 = multiplyAdd(w1, a, s10);
    s11 = multiplyAdd(w1, b, s11);
    const w2 = v128.load32_splat(weights, 8);
    s20 = multiplyAdd(w2, a, s20);
    s21 = multiplyAdd(w2, b, s21);
    const w3 = v128.load32_splat(weights, 12);
    s30 = multiplyAdd(w3, a, s30);
    s31 = multiplyAdd(w3, b, s31);
  }
  storePair(y0, y1, s00, s01, part);
  if (count == 1) return;
  y0 += outStep;
  y1 += outStep;
  storePair(y0, y1, s10, s11, part);
  if (count == 2) return;
  y0 += outStep;
  y1 += outStep;
  storePair(y0, y1, s20, s21, part);
  if (count == 3) return;
  storePair(y0 + outStep, y1 + outStep, s30, s31, part);
}

// @ts-ignore: decorator
@inline
function storePair(y0: usize, y1: usize, first: v128, second: v128, part: usize): void {
  if (part == LANES) {
    v128.store(y0, first);
    v128.store(y1, second);
  } else {
    storePart(y0, first, part);
    storePart(y1, second, part);
  }
}
