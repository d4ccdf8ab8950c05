/**
 * Where every random tensor of a fused program comes from: one stream for each member, addressed by (key, step, index), so
 * that a member's numbers do not depend on who runs beside it. A backend with a kernel of its own for it implements this
 * interface; the reference is Philox in JavaScript.
 */
import { fillIntegers, fillNormal, fillUniform, type RandomKey, type StreamAddress } from "../../src/core/random.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";

/** Where one member's draws come from. */
export interface NoiseStream extends StreamAddress {
  readonly key: RandomKey;
}

export interface NoiseSource {
  /** Standard normals [streams, ...shape]; zeros for a member without a stream. */
  normals(streams: readonly (NoiseStream | undefined)[], shape: readonly number[]): Tensor;
  /** Uniforms in [0, 1), [streams, ...shape]; zeros for a member without a stream. */
  uniforms(streams: readonly (NoiseStream | undefined)[], shape: readonly number[]): Tensor;
  /** A kernel for `drawIntegers`, where the backend has one. */
  readonly integers?: DrawIntegers;
}

/** Integers in [0, bound), int32 [streams, count], the same on every backend: bound below 2^31. */
export type DrawIntegers = (streams: readonly NoiseStream[], count: number, bound: number) => Tensor;

/** The backend's own integers, or those of `src/core/random.ts`, uploaded. */
export function drawIntegers(
  { tf, noise }: { readonly tf: Tf; readonly noise: NoiseSource },
  ...[streams, count, bound]: Parameters<DrawIntegers>
): Tensor {
  if (noise.integers !== undefined) return noise.integers(streams, count, bound);
  const values = new Int32Array(streams.length * count);
  streams.forEach((stream, member) => {
    fillIntegers(stream.key, stream, bound, values.subarray(member * count, (member + 1) * count));
  });
  return tf.tensor(values, [streams.length, count], "int32");
}

type Fill = (key: RandomKey, address: StreamAddress, out: Float32Array) => void;

/** Philox 4x32-10 of `src/core/random.ts`, uploaded. */
export function philoxNoise(tf: Tf): NoiseSource {
  const draw = (fill: Fill, streams: readonly (NoiseStream | undefined)[], shape: readonly number[]): Tensor => {
    const size = shape.reduce((product, length) => product * length, 1);
    const values = new Float32Array(streams.length * size);
    streams.forEach((stream, member) => {
      if (stream !== undefined) fill(stream.key, stream, values.subarray(member * size, (member + 1) * size));
    });
    return tf.tensor(values, [streams.length, ...shape], "float32");
  };
  return {
    normals: (streams, shape) => draw(fillNormal, streams, shape),
    uniforms: (streams, shape) => draw(fillUniform, streams, shape),
  };
}
