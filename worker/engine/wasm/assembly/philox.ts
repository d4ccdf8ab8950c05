/**
 * Keyed draws, bit for bit those of src/core/random.ts: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As
 * Easy as 1, 2, 3", SC 2011). A stream is (key 0, key 1, a, b); its draw i is word i % 4 of the block with counter (i / 4, 0, a, b).
 *
 * Four blocks are computed at a time, one in each lane, and lie as a group of 64 bytes: word 0 of the four blocks, then word 1, 2
 * and 3. What draws are made of the words replaces a group in place, in the order of the stream. A stream whose length is no
 * multiple of a group has its last group computed whole, in scratch, so that a draw's bits do not depend on how many follow it.
 */
import { LANES, VECTOR } from "./simd";

/** Draws of a group, and its bytes: the scratch that every function here asks for. */
export const GROUP: usize = 16;
export const GROUP_BYTES: usize = 64;

// The constants of Philox 4x32: two multipliers, two Weyl increments.
const M0: u32 = 0xd2511f53;
const M1: u32 = 0xcd9e8d57;
const W0: u32 = 0x9e3779b9;
const W1: u32 = 0xbb67ae85;
const ROUNDS: u32 = 10;

/** The words of `groups` groups, from block `block` on. */
export function philoxGroups(out: usize, groups: usize, block: u32, k0: u32, k1: u32, a: u32, b: u32): void {
  const m0 = i32x4.splat(M0);
  const m1 = i32x4.splat(M1);
  const w0 = i32x4.splat(W0);
  const w1 = i32x4.splat(W1);
  const end = out + groups * GROUP_BYTES;
  let counter = i32x4.add(i32x4.splat(block), i32x4(0, 1, 2, 3));
  for (; out < end; out += GROUP_BYTES) {
    let x0 = counter;
    let x1 = i32x4.splat(0);
    let x2 = i32x4.splat(a);
    let x3 = i32x4.splat(b);
    let key0 = i32x4.splat(k0);
    let key1 = i32x4.splat(k1);
    for (let round: u32 = 0; round < ROUNDS; round += 1) {
      const high0 = multiplyHigh(x0, m0);
      const high1 = multiplyHigh(x2, m1);
      const low0 = i32x4.mul(x0, m0);
      const low1 = i32x4.mul(x2, m1);
      x0 = v128.xor(v128.xor(high1, x1), key0);
      x2 = v128.xor(v128.xor(high0, x3), key1);
      x1 = low1;
      x3 = low0;
      key0 = i32x4.add(key0, w0);
      key1 = i32x4.add(key1, w1);
    }
    v128.store(out, x0);
    v128.store(out, x1, VECTOR);
    v128.store(out, x2, 2 * VECTOR);
    v128.store(out, x3, 3 * VECTOR);
    counter = i32x4.add(counter, i32x4.splat(<i32>LANES));
  }
}

/** The upper 32 bits of unsigned products. */
// @ts-ignore: decorator
@inline
export function multiplyHigh(x: v128, y: v128): v128 {
  const low = i64x2.extmul_low_i32x4_u(x, y);
  const high = i64x2.extmul_high_i32x4_u(x, y);
  return v128.shuffle<i32>(low, high, 1, 3, 5, 7);
}

/** Stores word 0, 1, 2, 3 of four blocks as block 0, 1, 2, 3. */
// @ts-ignore: decorator
@inline
export function storeBlocks(at: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
  const low01 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7);
  const low23 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5);
  const high23 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7);
  v128.store(at, v128.shuffle<i32>(low01, low23, 0, 1, 4, 5));
  v128.store(at, v128.shuffle<i32>(low01, low23, 2, 3, 6, 7), VECTOR);
  v128.store(at, v128.shuffle<i32>(high01, high23, 0, 1, 4, 5), 2 * VECTOR);
  v128.store(at, v128.shuffle<i32>(high01, high23, 2, 3, 6, 7), 3 * VECTOR);
}
