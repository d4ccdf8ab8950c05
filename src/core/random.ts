/**
 * Keyed, counter-based randomness: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as
 * 1, 2, 3", SC 2011). A draw is a pure function of (key, counter), so a cell's numbers depend on the cell alone: never on
 * who shares its shard, which worker runs it, or how many draws were made before.
 */
import { createHash } from "node:crypto";

/** 64 bits of key, as two unsigned 32-bit words. */
export interface RandomKey {
  readonly k0: number;
  readonly k1: number;
}

/**
 * The stream's address below a key: two unsigned 32-bit words, by convention (step, index of the tensor or chain). The
 * other two words of Philox's counter number the blocks of four draws within the stream.
 */
export interface StreamAddress {
  readonly a: number;
  readonly b: number;
}

/** The root key of a text, its first 64 bits of SHA-256. */
export function rootKey(text: string): RandomKey {
  const hash = createHash("sha256").update(text).digest();
  return { k0: hash.readUInt32LE(0), k1: hash.readUInt32LE(4) };
}

/** A key for one purpose below another key: `fold(key, "init")`, `fold(key, "chain", 3)`. */
export function fold(key: RandomKey, purpose: string, index = 0): RandomKey {
  return rootKey(`${key.k0}/${key.k1}/${purpose}/${index}`);
}

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const ROUNDS = 10;
const TWO_POW_32 = 4294967296;

/** High 32 bits of an unsigned 32 x 32 bit product. */
function mulHigh(x: number, y: number): number {
  const x0 = x & 0xffff;
  const x1 = x >>> 16;
  const y0 = y & 0xffff;
  const y1 = y >>> 16;
  const low = x0 * y0;
  const mid = x1 * y0 + (low >>> 16);
  const mid2 = x0 * y1 + (mid & 0xffff);
  return (x1 * y1 + Math.floor(mid / 65536) + Math.floor(mid2 / 65536)) >>> 0;
}

/** One Philox 4x32-10 block, into `out[at .. at+3]`, as unsigned 32-bit words. */
export function philox(key: RandomKey, c0: number, c1: number, c2: number, c3: number, out: Uint32Array, at = 0): void {
  let x0 = c0;
  let x1 = c1;
  let x2 = c2;
  let x3 = c3;
  let k0 = key.k0;
  let k1 = key.k1;
  for (let round = 0; round < ROUNDS; round += 1) {
    const high0 = mulHigh(M0, x0);
    const low0 = Math.imul(M0, x0);
    const high1 = mulHigh(M1, x2);
    const low1 = Math.imul(M1, x2);
    x0 = (high1 ^ x1 ^ k0) >>> 0;
    x1 = low1 >>> 0;
    x2 = (high0 ^ x3 ^ k1) >>> 0;
    x3 = low0 >>> 0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[at] = x0;
  out[at + 1] = x1;
  out[at + 2] = x2;
  out[at + 3] = x3;
}

const block = new Uint32Array(4);

/** Fills with uniforms in [0, 1): multiples of 2^-24, exact in float32. */
export function fillUniform(key: RandomKey, address: StreamAddress, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 4) {
    philox(key, i >>> 2, 0, address.a, address.b, block);
    const end = Math.min(4, out.length - i);
    for (let j = 0; j < end; j += 1) out[i + j] = (block[j]! >>> 8) / 16777216;
  }
}

/** Fills with standard normals by Box-Muller: draws 2j and 2j+1 come from one pair of words. */
export function fillNormal(key: RandomKey, address: StreamAddress, out: Float32Array): void {
  for (let i = 0; i < out.length; i += 4) {
    philox(key, i >>> 2, 0, address.a, address.b, block);
    for (let j = 0; j < 4 && i + j < out.length; j += 2) {
      // (word + 1/2) / 2^32 is never 0, so the logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log((block[j]! + 0.5) / TWO_POW_32));
      const angle = (2 * Math.PI * block[j + 1]!) / TWO_POW_32;
      out[i + j] = radius * Math.cos(angle);
      if (i + j + 1 < out.length) out[i + j + 1] = radius * Math.sin(angle);
    }
  }
}

/** Fills with integers in [0, bound), bound < 2^32, by multiply-shift (bias below bound / 2^32). */
export function fillIntegers(key: RandomKey, address: StreamAddress, bound: number, out: Int32Array): void {
  for (let i = 0; i < out.length; i += 4) {
    philox(key, i >>> 2, 0, address.a, address.b, block);
    const end = Math.min(4, out.length - i);
    for (let j = 0; j < end; j += 1) out[i + j] = mulHigh(block[j]!, bound);
  }
}

/** A random order of 0 .. count-1 (Fisher-Yates). */
export function permutation(key: RandomKey, address: StreamAddress, count: number): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const draws = new Float32Array(count);
  fillUniform(key, address, draws);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = Math.floor(draws[i]! * (i + 1));
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}
