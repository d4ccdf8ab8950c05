/** The draws of one stream (assembly/philox.ts says what a stream is): normals, uniforms in [0, 1), integers in [0, bound). */
import { LANES, NUMBER, VECTOR } from "./simd";
import { normalsOfGroups } from "./normal";
import { GROUP, GROUP_BYTES, multiplyHigh, philoxGroups, storeBlocks } from "./philox";

/** Groups whose words are computed before draws are made of them: 2 KiB, which stay in the nearest cache. */
const BATCH: usize = 32;

const NORMALS: i32 = 0;
const UNIFORMS: i32 = 1;
const INTEGERS: i32 = 2;

/** @param scratch GROUP_BYTES, here and below */
export function normals(out: usize, count: usize, k0: u32, k1: u32, a: u32, b: u32, scratch: usize): void {
  fill(NORMALS, out, count, k0, k1, a, b, scratch, 0);
}

export function uniforms(out: usize, count: usize, k0: u32, k1: u32, a: u32, b: u32, scratch: usize): void {
  fill(UNIFORMS, out, count, k0, k1, a, b, scratch, 0);
}

export function integers(
  out: usize,
  count: usize,
  k0: u32,
  k1: u32,
  a: u32,
  b: u32,
  scratch: usize,
  bound: u32,
): void {
  fill(INTEGERS, out, count, k0, k1, a, b, scratch, bound);
}

/** What a member without a stream gets. */
export function zeros(out: usize, count: usize): void {
  memory.fill(out, 0, count * NUMBER);
}

function fill(
  kind: i32,
  out: usize,
  count: usize,
  k0: u32,
  k1: u32,
  a: u32,
  b: u32,
  scratch: usize,
  bound: u32,
): void {
  const groups = count / GROUP;
  for (let done: usize = 0; done < groups; done += BATCH) {
    const some = min<usize>(BATCH, groups - done);
    fillGroups(kind, out + done * GROUP_BYTES, some, <u32>(done * LANES), k0, k1, a, b, bound);
  }
  const rest = count - groups * GROUP;
  if (rest == 0) return;
  fillGroups(kind, scratch, 1, <u32>(groups * LANES), k0, k1, a, b, bound);
  memory.copy(out + groups * GROUP_BYTES, scratch, rest * NUMBER);
}

function fillGroups(
  kind: i32,
  out: usize,
  groups: usize,
  block: u32,
  k0: u32,
  k1: u32,
  a: u32,
  b: u32,
  bound: u32,
): void {
  philoxGroups(out, groups, block, k0, k1, a, b);
  if (kind == NORMALS) normalsOfGroups(out, groups);
  else if (kind == UNIFORMS) uniformsOfGroups(out, groups);
  else integersOfGroups(out, groups, bound);
}

/** The upper 24 bits: multiples of 2^-24, exact. */
function uniformsOfGroups(at: usize, groups: usize): void {
  const end = at + groups * GROUP_BYTES;
  for (; at < end; at += GROUP_BYTES) {
    storeBlocks(
      at,
      uniformOf(v128.load(at)),
      uniformOf(v128.load(at, VECTOR)),
      uniformOf(v128.load(at, 2 * VECTOR)),
      uniformOf(v128.load(at, 3 * VECTOR)),
    );
  }
}

// @ts-ignore: decorator
@inline
function uniformOf(word: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(word, 8)), f32x4.splat(5.9604644775390625e-8));
}

/** The upper 32 bits of word x bound. */
function integersOfGroups(at: usize, groups: usize, bound: u32): void {
  const factor = i32x4.splat(bound);
  const end = at + groups * GROUP_BYTES;
  for (; at < end; at += GROUP_BYTES) {
    storeBlocks(
      at,
      multiplyHigh(v128.load(at), factor),
      multiplyHigh(v128.load(at, VECTOR), factor),
      multiplyHigh(v128.load(at, 2 * VECTOR), factor),
      multiplyHigh(v128.load(at, 3 * VECTOR), factor),
    );
  }
}
