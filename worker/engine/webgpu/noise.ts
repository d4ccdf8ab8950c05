/**
 * Keyed noise drawn on the device: Philox 4x32-10, addressed exactly as in `src/core/random.ts`. Uniforms and integers are
 * its numbers bit for bit. Normals are its Box-Muller transform in float32, within NORMAL_TOLERANCE of the reference.
 *
 * One invocation draws one block of four words and writes up to four numbers of one member, so that a tensor costs one small
 * upload (five integers a member) whatever its size.
 */
import type { Tensor, Tf } from "../../../src/catalogue/entry.ts";
import { drawIntegers, philoxNoise, type NoiseSource, type NoiseStream } from "../noise.ts";
import type { WebgpuBackend, WebgpuProgram, WebgpuUniform } from "./tfjs-backend.ts";

/** Largest difference of a normal from the reference: a few units in the last place of the largest draw, which is 6.8. */
export const NORMAL_TOLERANCE = 2e-6;

type Distribution = "uniform" | "normal" | "integer";

const WORKGROUP_SIZE = 64;
const WORDS_PER_BLOCK = 4;
/** Words of a stream's row: is there a stream, key 0 and 1, address a and b. */
const ROW = 5;
/** Up to here the reference's product, in double precision, is exact, and so the same as the device's in integers. */
const LARGEST_EXACT_BOUND = 2 ** 21;

export function webgpuNoise(tf: Tf, backend: WebgpuBackend): NoiseSource {
  const draw = (distribution: Distribution, streams: Streams, shape: readonly number[], bound = 0): Tensor => {
    const size = shape.reduce((product, length) => product * length, 1);
    const blocks = Math.ceil(size / WORDS_PER_BLOCK);
    const rows = backend.makeTensorInfo([streams.length * ROW], "int32", rowsOf(streams));
    const program = noiseProgram(distribution, [streams.length, ...shape], streams.length * blocks);
    const uniforms = [size, blocks, streams.length, bound].map((value): WebgpuUniform => ({
      type: "int32",
      data: [value],
    }));
    const drawn = backend.runWebGPUProgram(program, [rows], distribution === "integer" ? "int32" : "float32", uniforms);
    backend.disposeData(rows.dataId);
    return tf.engine().makeTensorFromTensorInfo(drawn);
  };
  return {
    normals: (streams, shape) => draw("normal", streams, shape),
    uniforms: (streams, shape) => draw("uniform", streams, shape),
    integers: (streams, count, bound) => {
      if (bound > LARGEST_EXACT_BOUND) return drawIntegers({ tf, noise: philoxNoise(tf) }, streams, count, bound);
      return draw("integer", streams, [count], bound);
    },
  };
}

type Streams = readonly (NoiseStream | undefined)[];

function rowsOf(streams: Streams): Int32Array {
  const rows = new Int32Array(streams.length * ROW);
  streams.forEach((stream, member) => {
    // Int32Array keeps the low 32 bits, which the program reads as unsigned.
    if (stream !== undefined) rows.set([1, stream.key.k0, stream.key.k1, stream.a, stream.b], member * ROW);
  });
  return rows;
}

function noiseProgram(distribution: Distribution, outputShape: number[], invocations: number): WebgpuProgram {
  return {
    outputShape,
    variableNames: ["streams"],
    uniforms: "perMember : i32, blocks : i32, members : i32, bound : i32, ",
    workgroupSize: [WORKGROUP_SIZE, 1, 1],
    dispatchLayout: { x: outputShape.map((_, axis) => axis) },
    dispatch: [Math.ceil(invocations / WORKGROUP_SIZE), 1, 1],
    shaderKey: `occam-noise-${distribution}`,
    size: false,
    getUserCode: () => [PHILOX, TRANSFORMS[distribution], MAIN].join("\n"),
  };
}

/** WGSL has no 64-bit product: the high word is put together from products of 16-bit halves. */
export const PHILOX = /* wgsl */ `
fn mulHigh(x : u32, y : u32) -> u32 {
  let x0 = x & 0xffffu;
  let x1 = x >> 16u;
  let y0 = y & 0xffffu;
  let y1 = y >> 16u;
  let mid = x1 * y0 + ((x0 * y0) >> 16u);
  let mid2 = x0 * y1 + (mid & 0xffffu);
  return x1 * y1 + (mid >> 16u) + (mid2 >> 16u);
}

fn philox(key : vec2<u32>, counter : vec4<u32>) -> vec4<u32> {
  var x = counter;
  var k = key;
  for (var round = 0; round < 10; round = round + 1) {
    x = vec4<u32>(
      mulHigh(0xcd9e8d57u, x.z) ^ x.y ^ k.x,
      0xcd9e8d57u * x.z,
      mulHigh(0xd2511f53u, x.x) ^ x.w ^ k.y,
      0xd2511f53u * x.x);
    k = k + vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return x;
}`;

/** floor(word / 2^32 * bound) */
const INTEGERS = /* wgsl */ `
fn transform(words : vec4<u32>) -> vec4<i32> {
  let bound = u32(uniforms.bound);
  return vec4<i32>(vec4<u32>(
    mulHigh(words.x, bound), mulHigh(words.y, bound), mulHigh(words.z, bound), mulHigh(words.w, bound)));
}`;

/** The upper 24 bits: multiples of 2^-24, exact in float32. */
const UNIFORMS = /* wgsl */ `
fn transform(words : vec4<u32>) -> vec4<f32> {
  return vec4<f32>(words >> vec4<u32>(8u)) * 0x1p-24f;
}`;

/**
 * sqrt(-2 ln u) (cos, sin)(2 pi v), with WGSL's own functions only where they are accurate: its sine and cosine may err by
 * 2^-11 and its logarithm by 2^-21 beside 1.
 * -2 ln u, u = (word + 1/2) / 2^32: for u >= 1/2 from the exact complement 1 - u = c by the series of
 *   -ln(1 - c) = 2 artanh s = 2 (s + s^3/3 + ...), s = c / (2 - c) <= 1/3; the first term left out is s^17/17 < 5e-10.
 * The angle is reduced in integers to |theta| <= pi/4 and a number of quarter turns; Taylor to theta^9 and theta^10.
 */
export const NORMALS = /* wgsl */ `
fn squaredRadius(word : u32) -> f32 {
  if (word < 0x80000000u) {
    return -2.0 * log((f32(word) + 0.5) * 0x1p-32f);
  }
  let c = (f32(0xffffffffu - word) + 0.5) * 0x1p-32f;
  let s = c / (2.0 - c);
  let q = s * s;
  let tail = q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q * (1.0 / 11.0
    + q * (1.0 / 13.0 + q * (1.0 / 15.0)))))));
  return 4.0 * (s + s * tail);
}

fn direction(word : u32) -> vec2<f32> {
  let quarters = (word + 0x20000000u) >> 30u;
  let theta = f32(bitcast<i32>(word - (quarters << 30u))) * 1.4629180792671596e-9;
  let q = theta * theta;
  let sine = theta + theta * q * (-1.0 / 6.0 + q * (1.0 / 120.0 + q * (-1.0 / 5040.0 + q * (1.0 / 362880.0))));
  let cosine = 1.0 + q * (-0.5 + q * (1.0 / 24.0 + q * (-1.0 / 720.0 + q * (1.0 / 40320.0 - q * (1.0 / 3628800.0)))));
  switch (quarters & 3u) {
    case 0u: { return vec2<f32>(cosine, sine); }
    case 1u: { return vec2<f32>(-sine, cosine); }
    case 2u: { return vec2<f32>(-cosine, -sine); }
    default: { return vec2<f32>(sine, -cosine); }
  }
}

fn transform(words : vec4<u32>) -> vec4<f32> {
  return vec4<f32>(
    sqrt(squaredRadius(words.x)) * direction(words.y),
    sqrt(squaredRadius(words.z)) * direction(words.w));
}`;

/** A member without a stream has a row of zeros, and gets zeros. */
const MAIN = /* wgsl */ `
fn main(index : i32) {
  let member = index / uniforms.blocks;
  if (member >= uniforms.members) { return; }
  let block = index - member * uniforms.blocks;
  let row = member * ${ROW};
  let key = bitcast<vec2<u32>>(vec2<i32>(streams[row + 1], streams[row + 2]));
  let address = bitcast<vec2<u32>>(vec2<i32>(streams[row + 3], streams[row + 4]));
  let drawn = transform(philox(key, vec4<u32>(u32(block), 0u, address)));
  let first = block * ${WORDS_PER_BLOCK};
  for (var i = 0; i < ${WORDS_PER_BLOCK}; i = i + 1) {
    if (first + i < uniforms.perMember) {
      result[member * uniforms.perMember + first + i] = select(0, drawn[i], streams[row] != 0);
    }
  }
}`;

const TRANSFORMS: Readonly<Record<Distribution, string>> = { uniform: UNIFORMS, normal: NORMALS, integer: INTEGERS };
