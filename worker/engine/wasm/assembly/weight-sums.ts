/**
 * Gradients of a convolution's weights and biases: sums over the pixels of all images, four side by side and added up
 * at the end. Tiles of four taps by two outputs are kept in registers for one image.
 */
import { PLACE, pitchOf, planeOf, roundUp } from "./padded-planes";
import { NUMBER, VECTOR, multiplyAdd, sumLanes } from "./simd";

/** Taps of a tile. */
const TALL: usize = 4;

/** Bytes of the sums of all weights. */
export function sumBytes(taps: usize, outputs: usize): usize {
  return roundUp(taps) * ((outputs + 1) & ~1) * VECTOR;
}

/** Adds one image to the sums of all weights: four taps and two outputs at a time, eight vectors each. */
export function addWeightSums(
  paddedX: usize,
  paddedY: usize,
  offsets: usize,
  taps: usize,
  outputs: usize,
  places: usize,
  vectors: usize,
  height: usize,
  width: usize,
  kernel: usize,
  sums: usize,
): void {
  const plane = planeOf(height, width, kernel) * NUMBER;
  const dy = paddedY + (kernel >> 1) * (pitchOf(width, kernel) + 1) * NUMBER;
  const end = places + vectors * PLACE;
  for (let r: usize = 0; r < taps; r += TALL) {
    const x0 = paddedX + load<u32>(offsets + r * NUMBER);
    const x1 = paddedX + load<u32>(offsets + min<usize>(r + 1, taps - 1) * NUMBER);
    const x2 = paddedX + load<u32>(offsets + min<usize>(r + 2, taps - 1) * NUMBER);
    const x3 = paddedX + load<u32>(offsets + min<usize>(r + 3, taps - 1) * NUMBER);
    for (let o: usize = 0; o < outputs; o += 2) {
      const y0 = dy + o * plane;
      const y1 = dy + min<usize>(o + 1, outputs - 1) * plane;
      sumTile(x0, x1, x2, x3, y0, y1, places, end, sums);
      sums += 8 * VECTOR;
    }
  }
}

function sumTile(
  x0: usize,
  x1: usize,
  x2: usize,
  x3: usize,
  y0: usize,
  y1: usize,
  places: usize,
  end: usize,
  sums: usize,
): void {
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  for (; places < end; places += PLACE) {
    const at = load<u32>(places);
    const a = v128.load(y0 + at);
    const b = v128.load(y1 + at);
    const r0 = v128.load(x0 + at);
    s00 = multiplyAdd(r0, a, s00);
    s01 = multiplyAdd(r0, b, s01);
    const r1 = v128.load(x1 + at);
    s10 = multiplyAdd(r1, a, s10);
    s11 = multiplyAdd(r1, b, s11);
    const r2 = v128.load(x2 + at);
    s20 = multiplyAdd(r2, a, s20);
    s21 = multiplyAdd(r2, b, s21);
    const r3 = v128.load(x3 + at);
    s30 = multiplyAdd(r3, a, s30);
    s31 = multiplyAdd(r3, b, s31);
  }
  addTo(sums, s00);
  addTo(sums + VECTOR, s01);
  addTo(sums + 2 * VECTOR, s10);
  addTo(sums + 3 * VECTOR, s11);
  addTo(sums + 4 * VECTOR, s20);
  addTo(sums + 5 * VECTOR, s21);
  addTo(sums + 6 * VECTOR, s30);
  addTo(sums + 7 * VECTOR, s31);
}

// @ts-ignore: decorator
@inline
function addTo(address: usize, value: v128): void {
  v128.store(address, f32x4.add(v128.load(address), value));
}

/** The sums' lanes added up, to [k k C, O]. */
export function writeSums(sums: usize, taps: usize, outputs: usize, to: usize): void {
  for (let r: usize = 0; r < taps; r += TALL) {
    for (let o: usize = 0; o < outputs; o += 2) {
      for (let i: usize = 0; i < TALL && r + i < taps; i += 1) {
        for (let j: usize = 0; j < 2 && o + j < outputs; j += 1) {
          const sum = sumLanes(v128.load(sums + (2 * i + j) * VECTOR));
          store<f32>(to + ((r + i) * outputs + o + j) * NUMBER, sum);
        }
      }
      sums += 8 * VECTOR;
    }
  }
}

/** Adds one image to the sums of the biases, a vector each. */
export function addBiasSums(
  paddedY: usize,
  outputs: usize,
  places: usize,
  vectors: usize,
  height: usize,
  width: usize,
  kernel: usize,
  sums: usize,
): void {
  const plane = planeOf(height, width, kernel) * NUMBER;
  const dy = paddedY + (kernel >> 1) * (pitchOf(width, kernel) + 1) * NUMBER;
  const end = places + vectors * PLACE;
  const full = outputs - (outputs % 4);
  let o: usize = 0;
  for (; o < full; o += 4) {
    // Four at a time: one sum alone would wait for each of its additions.
    let s0 = f32x4.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    const y0 = dy + o * plane;
    const y1 = y0 + plane;
    const y2 = y1 + plane;
    const y3 = y2 + plane;
    for (let place = places; place < end; place += PLACE) {
      const at = load<u32>(place);
      s0 = f32x4.add(s0, v128.load(y0 + at));
      s1 = f32x4.add(s1, v128.load(y1 + at));
      s2 = f32x4.add(s2, v128.load(y2 + at));
      s3 = f32x4.add(s3, v128.load(y3 + at));
    }
    addTo(sums + o * VECTOR, s0);
    addTo(sums + (o + 1) * VECTOR, s1);
    addTo(sums + (o + 2) * VECTOR, s2);
    addTo(sums + (o + 3) * VECTOR, s3);
  }
  for (; o < outputs; o += 1) {
    let sum = f32x4.splat(0);
    for (let place = places; place < end; place += PLACE) {
      sum = f32x4.add(sum, v128.load(dy + o * plane + load<u32>(place)));
    }
    addTo(sums + o * VECTOR, sum);
  }
}
