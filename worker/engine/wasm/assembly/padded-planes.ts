/**
 * Images as convolutions read them: planes, channels first, copied one image at a time between borders of zeros of half
 * the kernel's size. Four pixels of a row are a vector; lists hold where the vectors lie, and where a kernel's taps do.
 */
import { LANES, NUMBER, VECTOR, loadPart, storePart } from "./simd";

// @ts-ignore: decorator
@inline
export function roundUp(count: usize): usize {
  return (count + LANES - 1) & ~(LANES - 1);
}

/** Numbers from a row of a padded image to the next: whole vectors, and k - 1 for the border. */
// @ts-ignore: decorator
@inline
export function pitchOf(width: usize, kernel: usize): usize {
  return roundUp(width) + kernel - 1;
}

/** Numbers of a padded plane: height + k - 1 rows. */
// @ts-ignore: decorator
@inline
export function planeOf(height: usize, width: usize, kernel: usize): usize {
  return pitchOf(width, kernel) * (height + kernel - 1);
}

/** Vectors of an image, rounded up to pairs. */
// @ts-ignore: decorator
@inline
export function placesOf(height: usize, width: usize): usize {
  return (height * (roundUp(width) / LANES) + 1) & ~1;
}

/** Bytes of one place in a list of them. */
export const PLACE: usize = 8;

export function placesBytes(height: usize, width: usize): usize {
  return placesOf(height, width) * PLACE;
}

export function tapsBytes(taps: usize): usize {
  return roundUp(taps) * NUMBER;
}

export function paddedBytes(channels: usize, height: usize, width: usize, kernel: usize): usize {
  return channels * planeOf(height, width, kernel) * NUMBER;
}

/**
 * Where the vectors of an image lie: for each, in order, its first number's place in a padded plane (less the border)
 * and in a plane as it is stored, in bytes. The last of a row reaches past it; or, where numbers may be computed twice
 * (`twice`) and the row is as long as a vector, begins earlier and ends with it. One more makes an odd number even.
 */
export function listPlaces(to: usize, height: usize, width: usize, kernel: usize, twice: bool): void {
  const pitch = pitchOf(width, kernel);
  const last = placesOf(height, width) * PLACE + to;
  for (let h: usize = 0; h < height; h += 1) {
    for (let w: usize = 0; w < width; w += LANES) {
      const column = twice && width >= LANES ? min<usize>(w, width - LANES) : w;
      store<u32>(to, <u32>((h * pitch + column) * NUMBER));
      store<u32>(to, <u32>((h * width + column) * NUMBER), 4);
      to += PLACE;
    }
  }
  if (to < last) store<u64>(to, load<u64>(to - PLACE));
}

/** Bytes from a pixel's first tap to each, by (i, j, c). */
export function listTaps(to: usize, channels: usize, height: usize, width: usize, kernel: usize): void {
  const pitch = pitchOf(width, kernel);
  const plane = planeOf(height, width, kernel);
  for (let i: usize = 0; i < kernel; i += 1) {
    for (let j: usize = 0; j < kernel; j += 1) {
      for (let c: usize = 0; c < channels; c += 1) {
        store<u32>(to, <u32>((c * plane + i * pitch + j) * NUMBER));
        to += NUMBER;
      }
    }
  }
}

/** Copies planes, `step` bytes apart, between their borders of zeros. */
export function pad(
  from: usize,
  step: usize,
  to: usize,
  channels: usize,
  height: usize,
  width: usize,
  kernel: usize,
): void {
  const half = kernel >> 1;
  const pitch = pitchOf(width, kernel);
  const plane = planeOf(height, width, kernel);
  const row = width * NUMBER;
  for (let c: usize = 0; c < channels; c += 1) {
    let line = to + (c * plane + half * (pitch + 1)) * NUMBER;
    let own = from + c * step;
    for (let h: usize = 0; h < height; h += 1) {
      copyLine(own, line, width);
      own += row;
      line += pitch * NUMBER;
    }
  }
}

// @ts-ignore: decorator
@inline
function copyLine(from: usize, to: usize, width: usize): void {
  if (width < LANES) {
    storePart(to, loadPart(from, width), width);
    return;
  }
  const last = (width - LANES) * NUMBER;
  for (let at: usize = 0; at < last; at += VECTOR) v128.store(to + at, v128.load(from + at));
  v128.store(to + last, v128.load(from + last));
}
