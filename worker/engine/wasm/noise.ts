/**
 * Keyed noise by our own kernel, addressed exactly as in `src/core/random.ts`: uniforms and integers are its numbers bit for
 * bit, normals its Box-Muller transform in float32. One call a stream: it costs less than a table of streams would.
 */
import type { DataType } from "@tensorflow/tfjs-core";
import type { Tensor, Tf } from "../../../src/catalogue/entry.ts";
import type { NoiseSource, NoiseStream } from "../noise.ts";
import type { WasmHeap } from "./heap.ts";

/**
 * Largest difference of a normal from the reference, relative to sqrt(-2 log u), which is 6.76 at the most. Measured 2.5e-7 on
 * 2e7 random pairs of words and on the edges of every range.
 */
export const NORMAL_TOLERANCE = 4e-7;

type Draw = (
  out: number,
  count: number,
  k0: number,
  k1: number,
  a: number,
  b: number,
  scratch: number,
  bound: number,
) => void;

/** assembly/draws.ts; normals and uniforms have no bound. */
interface NoiseExports {
  readonly normals: Draw;
  readonly uniforms: Draw;
  readonly integers: Draw;
  zeros(out: number, count: number): void;
}

type Streams = readonly (NoiseStream | undefined)[];

/** GROUP_BYTES of assembly/philox.ts: one group of draws. */
const SCRATCH_BYTES = 64;
const BYTES_PER_NUMBER = 4;

export function wasmNoise(tf: Tf, heap: WasmHeap): NoiseSource {
  const kernels = heap.kernels.exports as unknown as NoiseExports;
  const fill = (draw: Draw, streams: Streams, shape: readonly number[], dtype: DataType, bound = 0): Tensor => {
    const size = shape.reduce((product, length) => product * length, 1);
    const scratch = heap.scratch(SCRATCH_BYTES);
    const out = heap.output([streams.length, ...shape], dtype);
    const first = heap.at(out);
    streams.forEach((stream, member) => {
      const at = first + member * size * BYTES_PER_NUMBER;
      if (stream === undefined) kernels.zeros(at, size);
      else draw(at, size, stream.key.k0, stream.key.k1, stream.a, stream.b, scratch, bound);
    });
    return tf.engine().makeTensorFromTensorInfo(out);
  };
  return {
    normals: (streams, shape) => fill(kernels.normals, streams, shape, "float32"),
    uniforms: (streams, shape) => fill(kernels.uniforms, streams, shape, "float32"),
    integers: (streams, count, bound) => fill(kernels.integers, streams, [count], "int32", bound),
  };
}
