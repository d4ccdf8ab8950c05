/**
 * GPU buffers for TensorFlow.js, in place of its own BufferManager, whose free buffers live for ever: each new shape of a
 * tensor would keep its memory until the process ends.
 *
 * Invariants
 * 1. A buffer is with the caller or free, never both. A free one is given again to whoever asks for its exact size and usage.
 * 2. While all buffers together take more than `limitBytes`, none is free: those that were not asked for longest are destroyed
 *    first. That is safe at any time: WebGPU frees the memory when the device is done with it.
 * 3. No buffer is larger than one binding may be: a larger tensor is out of memory, whatever the device has.
 */
import { OccamError } from "../../../src/core/errors.ts";
import type { GpuBuffer, GpuDevice } from "./dawn.ts";
import type { DeviceErrors } from "./device-errors.ts";

export class BufferPool {
  readonly #device: GpuDevice;
  readonly #errors: DeviceErrors;
  readonly #limitBytes: number;
  readonly #largestBytes: number;
  readonly #used = new Set<GpuBuffer>();
  /** Free buffers by size and usage, the kind that was asked for last at the end. */
  readonly #free = new Map<string, GpuBuffer[]>();
  #usedBytes = 0;
  #freeBytes = 0;
  #freeCount = 0;

  constructor(device: GpuDevice, errors: DeviceErrors, limitBytes: number) {
    this.#device = device;
    this.#errors = errors;
    this.#limitBytes = limitBytes;
    this.#largestBytes = Math.min(device.limits["maxBufferSize"]!, device.limits["maxStorageBufferBindingSize"]!);
  }

  /** Bytes in buffers that are in use. TensorFlow.js reads it as `numBytesInGPU`. */
  get numBytesUsed(): number {
    return this.#usedBytes;
  }

  /** Bytes in all buffers, free ones included; `numBytesAllocatedInGPU`. */
  get numBytesAllocated(): number {
    return this.#usedBytes + this.#freeBytes;
  }

  getNumUsedBuffers(): number {
    return this.#used.size;
  }

  getNumFreeBuffers(): number {
    return this.#freeCount;
  }

  /** `reuse` false asks for a new buffer, as one that has to be mapped at its creation must be. */
  acquireBuffer(size: number, usage: number, mappedAtCreation = false, reuse = true): GpuBuffer {
    const buffer = (reuse ? this.#takeFree(size, usage) : undefined) ?? this.#create(size, usage, mappedAtCreation);
    this.#used.add(buffer);
    this.#usedBytes += size;
    this.#evict(this.#limitBytes);
    return buffer;
  }

  releaseBuffer(buffer: GpuBuffer, reuse = true): void {
    // TensorFlow.js releases what it holds once more after `dispose`.
    if (!this.#used.delete(buffer)) return;
    this.#usedBytes -= buffer.size;
    if (!reuse) {
      buffer.destroy();
      return;
    }
    const key = keyOf(buffer.size, buffer.usage);
    const same = this.#free.get(key);
    if (same === undefined) this.#free.set(key, [buffer]);
    else same.push(buffer);
    this.#freeBytes += buffer.size;
    this.#freeCount += 1;
    this.#evict(this.#limitBytes);
  }

  dispose(): void {
    this.#evict(0);
    for (const buffer of this.#used) buffer.destroy();
    this.#used.clear();
    this.#usedBytes = 0;
  }

  #takeFree(size: number, usage: number): GpuBuffer | undefined {
    const key = keyOf(size, usage);
    const same = this.#free.get(key);
    const buffer = same?.pop();
    if (same === undefined || buffer === undefined) return undefined;
    this.#free.delete(key);
    if (same.length > 0) this.#free.set(key, same);
    this.#freeBytes -= size;
    this.#freeCount -= 1;
    return buffer;
  }

  /** A refused allocation is tried once more without the free buffers. */
  #create(size: number, usage: number, mappedAtCreation: boolean): GpuBuffer {
    if (size > this.#largestBytes) {
      const most = `the device takes ${this.#largestBytes} in one buffer`;
      throw new OccamError("out-of-memory", `backend webgpu: no memory for a buffer of ${size} bytes: ${most}`);
    }
    const buffer = this.#tryCreate(size, usage, mappedAtCreation);
    if (buffer !== undefined) return buffer;
    this.#evict(0);
    const second = this.#tryCreate(size, usage, mappedAtCreation);
    if (second !== undefined) return second;
    throw new OccamError("out-of-memory", `backend webgpu: no memory for a buffer of ${size} bytes on the device`);
  }

  #tryCreate(size: number, usage: number, mappedAtCreation: boolean): GpuBuffer | undefined {
    try {
      return this.#errors.unlessOutOfMemory(() => this.#device.createBuffer({ size, usage, mappedAtCreation }));
    } catch (error) {
      // A buffer that cannot be mapped at its creation for lack of memory: WebGPU 5.2.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Destroys free buffers, those that were not asked for longest first, until all together take no more than this. */
  #evict(limitBytes: number): void {
    for (const [key, buffers] of this.#free) {
      while (this.numBytesAllocated > limitBytes) {
        const buffer = buffers.pop();
        if (buffer === undefined) break;
        buffer.destroy();
        this.#freeBytes -= buffer.size;
        this.#freeCount -= 1;
      }
      if (buffers.length > 0) return;
      this.#free.delete(key);
    }
  }
}

const keyOf = (size: number, usage: number): string => `${size}/${usage}`;
