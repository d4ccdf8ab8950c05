/**
 * Tensors of TensorFlow.js's wasm backend as our kernels see them: addresses in one shared memory. Owns one block of scratch,
 * which kernels use one after the other.
 */
import type { DataId, TensorInfo } from "@tensorflow/tfjs-core";
import type { Tf } from "../../../src/catalogue/entry.ts";
import { openKernels, type KernelModule } from "./kernel-module.ts";

/** What the wasm backend object has and its type does not say. */
interface WasmBackend {
  readonly wasm: {
    readonly asm: { readonly memory: WebAssembly.Memory };
    _malloc(bytes: number): number;
    _free(address: number): void;
  };
  readonly dataIdMap: { get(dataId: DataId): { readonly memoryOffset: number } };
  makeOutput(shape: readonly number[], dtype: TensorInfo["dtype"]): TensorInfo;
}

export class WasmHeap {
  readonly kernels: KernelModule;
  readonly #backend: WasmBackend;
  #scratch = 0;
  #scratchBytes = 0;

  /** `tf` has the wasm backend as its current one. */
  constructor(tf: Tf) {
    this.#backend = tf.backend() as unknown as WasmBackend;
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

  /** A block of at least so many bytes, until the next call. */
  scratch(bytes: number): number {
    if (bytes > this.#scratchBytes) {
      if (this.#scratch !== 0) this.#backend.wasm._free(this.#scratch);
      this.#scratch = this.#backend.wasm._malloc(bytes) >>> 0;
      this.#scratchBytes = this.#scratch === 0 ? 0 : bytes;
      if (this.#scratch === 0) throw new Error(`wasm: out of memory (${bytes} bytes of scratch)`);
    }
    return this.#scratch;
  }
}
