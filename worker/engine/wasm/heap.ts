/**
 * Tensors of TensorFlow.js's wasm backend as our kernels see them: addresses in one shared memory. Owns one block of scratch,
 * which kernels use one after the other.
 */
import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";
import type { Tf } from "../../../src/catalogue/entry.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { openKernels, type KernelModule } from "./kernel-module.ts";

/** What the wasm backend object has and its type does not say. */
interface WasmBackend {
  readonly wasm: WasmModule;
  readonly dataIdMap: { get(dataId: DataId): { readonly memoryOffset: number } };
  makeOutput(shape: readonly number[], dtype: TensorInfo["dtype"]): TensorInfo;
  incRef(dataId: DataId): void;
}

interface WasmModule {
  /** What the module exports. */
  readonly asm: { readonly memory: WebAssembly.Memory; readonly malloc: (bytes: number) => number };
  /** What TensorFlow.js calls. */
  _malloc: (bytes: number) => number;
  _free(address: number): void;
}

export class WasmHeap {
  readonly kernels: KernelModule;
  readonly #backend: WasmBackend;
  #scratch = 0;
  #scratchBytes = 0;

  /** `tf` has the wasm backend as its current one. */
  constructor(tf: Tf) {
    this.#backend = tf.backend() as unknown as WasmBackend;
    guardAllocator(this.#backend.wasm);
    this.kernels = openKernels(this.#backend.wasm.asm.memory);
  }

  /** Address of a tensor's numbers, in bytes. */
  at({ dataId }: TensorInfo): number {
    return this.#backend.dataIdMap.get(dataId).memoryOffset;
  }

  /** A new tensor; its numbers are whatever lay there. Throws where the memory cannot grow: `isOutOfMemory` knows it. */
  output(shape: readonly number[], dtype: TensorInfo["dtype"] = "float32"): TensorInfo {
    return this.#backend.makeOutput([...shape], dtype);
  }

  /** The same numbers as another tensor, not copied: they go when both are disposed. So no kernel writes into its inputs. */
  share({ dataId, shape, dtype }: TensorInfo): TensorInfo {
    this.#backend.incRef(dataId);
    return { dataId, shape, dtype };
  }

  /** A block of at least so many bytes, until the next call. */
  scratch(bytes: number): number {
    if (bytes > this.#scratchBytes) {
      if (this.#scratch !== 0) this.#backend.wasm._free(this.#scratch);
      [this.#scratch, this.#scratchBytes] = [0, 0];
      this.#scratch = this.#backend.wasm._malloc(bytes) >>> 0;
      this.#scratchBytes = bytes;
    }
    return this.#scratch;
  }
}

/** WebAssembly's addresses have 32 bits. */
const ADDRESSED_BYTES = 2 ** 32;

/**
 * Makes a failed allocation an error. The allocator answers 0, and TensorFlow.js does not look: it would put the tensor at
 * address 0, over the module's own data, and compute on. A size that needs more than 32 bits would lose its upper ones.
 */
function guardAllocator(wasm: WasmModule): void {
  // Not the `_malloc` that stands there: that one replaces itself at its first call.
  const { malloc } = wasm.asm;
  wasm._malloc = (bytes) => {
    const address = bytes < ADDRESSED_BYTES ? malloc(bytes) : 0;
    if (address !== 0) return address;
    throw new OccamError("out-of-memory", `wasm: ${bytes} bytes do not fit into what is left of its 4 GiB`);
  };
}
