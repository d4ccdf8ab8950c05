/**
 * Draws by TensorFlow's own stateless kernels, on the device. They run Philox 4x32-10 (`src/core/random.ts` cites it) on the
 * key and the counter that they are given, so a member's stream is laid out as in JavaScript: key words k0, k1; counter
 * words 0, 0, a, b, of which the first numbers the blocks of four draws. The words drawn are the same; the floats made of
 * them are TensorFlow's: uniforms are multiples of 2^-23, normals Box-Muller on those, bounded by sqrt(-2 log 1e-7) = 5.7.
 *
 * A kernel draws one stream, so K members are K calls of 23 us. For few draws JavaScript is faster than that. Measured on two
 * cores at 2.1 GHz, ns a draw, JavaScript with its upload against the kernels (K = 4 and 64 agree within a third):
 *
 *   draws a member     64        1024       4096       65536
 *   normals         32 / 360   34 / 44    37 / 31    40 / 8
 *   uniforms        19 / 350   16 / 31    15 / 12    15 / 4
 *
 * So the choice falls by the draws of one member, which its cell alone decides, never by K.
 */
import type { Tensor, Tf } from "../../../src/catalogue/entry.ts";
import { philoxNoise, type NoiseSource, type NoiseStream } from "../noise.ts";
import {
  nativeBackend,
  type NativeBackend,
  type NativeBinding,
  type OpAttribute,
  type OpOutput,
  type TensorHandle,
} from "./native-backend.ts";

/** The least number of draws of one member for which a kernel is called. */
export const LEAST_KERNEL_DRAWS = 4096;

/** TensorFlow's type numbers and algorithm numbers that the addon does not name (tensorflow/c/tf_datatype.h, rng_alg.h). */
const TF_UINT64 = 23;
const RNG_ALG_PHILOX = 1;

type Kernel = "StatelessRandomNormalV2" | "StatelessRandomUniformV2";
type Streams = readonly (NoiseStream | undefined)[];

export function tensorflowNoise(tf: Tf): NoiseSource {
  const host = philoxNoise(tf);
  const backend = nativeBackend(tf);
  const few = (shape: readonly number[]): boolean =>
    shape.reduce((product, length) => product * length, 1) < LEAST_KERNEL_DRAWS;
  return {
    normals: (streams, shape) =>
      few(shape) ? host.normals(streams, shape) : draw(backend, "StatelessRandomNormalV2", streams, shape),
    uniforms: (streams, shape) =>
      few(shape) ? host.uniforms(streams, shape) : draw(backend, "StatelessRandomUniformV2", streams, shape),
  };
}

/** [streams, ...shape] */
function draw(backend: NativeBackend, kernel: Kernel, streams: Streams, shape: readonly number[]): Tensor {
  const scratch = new Scratch(backend.binding);
  try {
    return backend.createOutputTensor(stacked(backend.binding, scratch, kernel, streams, shape));
  } finally {
    scratch.dispose();
  }
}

function stacked(
  binding: NativeBinding,
  scratch: Scratch,
  kernel: Kernel,
  streams: Streams,
  shape: readonly number[],
): OpOutput {
  const size = scratch.integers([shape.length], Int32Array.from(shape));
  const algorithm = scratch.integers([], Int32Array.of(RNG_ALG_PHILOX));
  const attributes = [typed(binding, "dtype", binding.TF_FLOAT), typed(binding, "Tshape", binding.TF_INT32)];
  const [keys, counters] = addresses(scratch, streams);
  const members = streams.map((stream, member) =>
    stream === undefined
      ? scratch.zeros(shape)
      : scratch.run(kernel, attributes, [size, keys[member]!, counters[member]!, algorithm])[0]!,
  );
  const stacking = [counted(binding, "N", members.length), typed(binding, "T", binding.TF_FLOAT), counted(binding, "axis", 0)]; // prettier-ignore
  return binding.executeOp("Pack", stacking, members, 1)[0]!;
}

/**
 * Each stream's key, uint64 [1], and counter, uint64 [2]. They travel as one float32 tensor each, two floats a word, because
 * the addon makes no uint64, and TensorFlow splits neither uint64 nor int32 on a GPU; their bits are never read as numbers.
 */
function addresses(scratch: Scratch, streams: Streams): readonly [readonly TensorHandle[], readonly TensorHandle[]] {
  const keys = new Uint32Array(2 * streams.length);
  const counters = new Uint32Array(4 * streams.length);
  streams.forEach((stream, member) => {
    if (stream === undefined) return;
    keys.set([stream.key.k0, stream.key.k1], 2 * member);
    counters.set([stream.a, stream.b], 4 * member + 2);
  });
  return [scratch.words(keys, streams.length), scratch.words(counters, streams.length)];
}

const typed = ({ TF_ATTR_TYPE }: NativeBinding, name: string, value: number): OpAttribute => ({ name, type: TF_ATTR_TYPE, value }); // prettier-ignore
const counted = ({ TF_ATTR_INT }: NativeBinding, name: string, value: number): OpAttribute => ({ name, type: TF_ATTR_INT, value }); // prettier-ignore

/** Handles below TensorFlow.js, which nobody counts: `dispose` deletes them. */
class Scratch {
  readonly #binding: NativeBinding;
  readonly #handles: TensorHandle[] = [];
  #zeros: TensorHandle | undefined;

  constructor(binding: NativeBinding) {
    this.#binding = binding;
  }

  run(op: string, attributes: readonly OpAttribute[], inputs: readonly TensorHandle[], outputs = 1): TensorHandle[] {
    return this.#binding.executeOp(op, attributes, inputs, outputs).map(({ id }) => this.#own(id));
  }

  integers(shape: readonly number[], values: Int32Array): TensorHandle {
    return this.#own(this.#binding.createTensor(shape, this.#binding.TF_INT32, values));
  }

  /** Zeros of this shape; one tensor however often it is asked for. */
  zeros(shape: readonly number[]): TensorHandle {
    const size = shape.reduce((product, length) => product * length, 1);
    this.#zeros ??= this.#own(this.#binding.createTensor(shape, this.#binding.TF_FLOAT, new Float32Array(size)));
    return this.#zeros;
  }

  /** An equal share of the words for each of `parts`, as uint64 [share / 2], low word first. */
  words(all: Uint32Array, parts: number): readonly TensorHandle[] {
    const { TF_FLOAT } = this.#binding;
    const bits = new Float32Array(all.buffer, all.byteOffset, all.length);
    const pairs = this.#own(this.#binding.createTensor([all.length / 2, 2], TF_FLOAT, bits));
    const splitting = [counted(this.#binding, "num_split", parts), typed(this.#binding, "T", TF_FLOAT)];
    const shares = this.run("Split", splitting, [this.integers([], Int32Array.of(0)), pairs], parts);
    const casting = [typed(this.#binding, "T", TF_FLOAT), typed(this.#binding, "type", TF_UINT64)];
    return shares.map((share) => this.run("Bitcast", casting, [share])[0]!);
  }

  dispose(): void {
    for (const handle of this.#handles) this.#binding.deleteTensor(handle);
  }

  #own(handle: TensorHandle): TensorHandle {
    this.#handles.push(handle);
    return handle;
  }
}
