/** Buffers over a device that refuses memory on request; what no software device does. */
import { describe, expect, test } from "vitest";
import { BufferPool } from "../../../worker/engine/webgpu/buffer-pool.ts";
import type { GpuBuffer, GpuDevice, GpuErrorEvent } from "../../../worker/engine/webgpu/dawn.ts";
import { DeviceErrors } from "../../../worker/engine/webgpu/device-errors.ts";

const STORAGE = 0x80;
const READ = 0x9;

class GPUOutOfMemoryError extends Error {}
class GPUValidationError extends Error {}

/** A device with this much memory. Events come within the call, as Dawn's do. */
class SmallDevice {
  readonly alive = new Set<GpuBuffer>();
  created = 0;
  readonly limits = { maxBufferSize: 4096, maxStorageBufferBindingSize: 2048 };
  #listener: ((event: GpuErrorEvent) => void) | undefined;
  readonly #memoryBytes: number;

  constructor(memoryBytes: number) {
    this.#memoryBytes = memoryBytes;
  }

  get bytes(): number {
    return [...this.alive].reduce((sum, { size }) => sum + size, 0);
  }

  addEventListener(_type: "uncapturederror", listener: (event: GpuErrorEvent) => void): void {
    this.#listener = listener;
  }

  createBuffer({
    size,
    usage,
    mappedAtCreation,
  }: {
    size: number;
    usage: number;
    mappedAtCreation?: boolean;
  }): GpuBuffer {
    this.created += 1;
    const buffer = { size, usage, destroy: () => this.alive.delete(buffer) } as unknown as GpuBuffer;
    if (this.bytes + size <= this.#memoryBytes) this.alive.add(buffer);
    else if (mappedAtCreation === true) throw new RangeError("no memory to map");
    else this.complain(new GPUOutOfMemoryError("no memory"));
    return buffer;
  }

  complain(error: Error): void {
    this.#listener?.({ error, preventDefault: () => undefined });
  }
}

function poolOn(memoryBytes: number, limitBytes: number) {
  const device = new SmallDevice(memoryBytes);
  const errors = new DeviceErrors(device as unknown as GpuDevice);
  return { device, errors, pool: new BufferPool(device as unknown as GpuDevice, errors, limitBytes) };
}

const counts = (pool: BufferPool) => [
  pool.getNumUsedBuffers(),
  pool.getNumFreeBuffers(),
  pool.numBytesUsed,
  pool.numBytesAllocated,
];

describe("a buffer pool", () => {
  test("gives a released buffer again to the same size and usage, and to no other", () => {
    const { device, pool } = poolOn(1000, 1000);
    const buffer = pool.acquireBuffer(100, STORAGE);
    pool.releaseBuffer(buffer);
    expect(pool.acquireBuffer(100, READ)).not.toBe(buffer);
    expect(pool.acquireBuffer(104, STORAGE)).not.toBe(buffer);
    expect(pool.acquireBuffer(100, STORAGE)).toBe(buffer);
    expect(pool.acquireBuffer(100, STORAGE)).not.toBe(buffer);
    expect(counts(pool)).toEqual([4, 0, 404, 404]);
    expect(device.bytes).toBe(404);
  });

  test("keeps all buffers together below its limit, and lets go of what was not asked for longest", () => {
    const { device, pool } = poolOn(10_000, 300);
    const buffers = [100, 101, 99].map((size) => pool.acquireBuffer(size, STORAGE));
    for (const buffer of buffers) pool.releaseBuffer(buffer);
    // The first kind is asked for again, so the second is the oldest.
    pool.releaseBuffer(pool.acquireBuffer(100, STORAGE));
    const large = pool.acquireBuffer(150, STORAGE);
    expect(device.alive).toEqual(new Set([buffers[0], large]));
    expect(counts(pool)).toEqual([1, 1, 150, 250]);
  });

  test("goes beyond its limit for buffers in use, which are all wanted", () => {
    const { device, pool } = poolOn(10_000, 300);
    for (let i = 0; i < 5; i += 1) pool.acquireBuffer(100, STORAGE);
    expect(counts(pool)).toEqual([5, 0, 500, 500]);
    expect(device.bytes).toBe(500);
  });

  test.each([false, true])("tries without its free buffers when the device has no memory (mapped: %s)", (mapped) => {
    const { errors, pool } = poolOn(250, 1000);
    pool.releaseBuffer(pool.acquireBuffer(100, STORAGE));
    pool.releaseBuffer(pool.acquireBuffer(101, STORAGE));
    expect(pool.acquireBuffer(200, STORAGE, mapped).size).toBe(200);
    expect(counts(pool)).toEqual([1, 0, 200, 200]);
    expect(() => errors.throwFirst()).not.toThrow();
    expect(() => pool.acquireBuffer(51, STORAGE, mapped)).toThrow(expect.objectContaining({ code: "out-of-memory" }));
    expect(counts(pool)).toEqual([1, 0, 200, 200]);
  });

  test("refuses what is larger than one binding may be, without asking the device", () => {
    const { device, errors, pool } = poolOn(10_000, 10_000);
    pool.acquireBuffer(2048, STORAGE);
    expect(() => pool.acquireBuffer(2052, STORAGE)).toThrow(
      expect.objectContaining({ code: "out-of-memory", message: expect.stringContaining("2048 in one buffer") }),
    );
    expect(device.created).toBe(1);
    expect(() => errors.throwFirst()).not.toThrow();
  });

  test("destroys at once what is not to be used again, and everything at its end", () => {
    const { device, pool } = poolOn(1000, 1000);
    const [staging, kept, free] = [1, 2, 3].map((size) => pool.acquireBuffer(size, READ, true, false));
    pool.releaseBuffer(staging!, false);
    pool.releaseBuffer(free!);
    expect(device.alive).toEqual(new Set([kept, free]));
    pool.dispose();
    expect(device.alive.size).toBe(0);
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
    pool.releaseBuffer(kept!);
    expect(counts(pool)).toEqual([0, 0, 0, 0]);
  });
});

describe("a device's errors", () => {
  test("the first since the last reading is thrown, once, with a code that tells a lack of memory from a mistake", () => {
    const { device, errors } = poolOn(0, 0);
    device.complain(new GPUValidationError("a mistake\nwith its stack"));
    device.complain(new GPUOutOfMemoryError("its consequence"));
    const mistake = { code: "internal", message: "backend webgpu: a mistake" };
    expect(() => errors.throwFirst()).toThrow(expect.objectContaining(mistake));
    expect(() => errors.throwFirst()).not.toThrow();
    device.complain(new GPUOutOfMemoryError("no memory"));
    expect(() => errors.throwFirst()).toThrow(expect.objectContaining({ code: "out-of-memory" }));
  });

  test("an earlier mistake is not lost when memory is asked for in between", () => {
    const { device, errors, pool } = poolOn(100, 1000);
    pool.releaseBuffer(pool.acquireBuffer(60, STORAGE));
    device.complain(new GPUValidationError("a mistake"));
    pool.acquireBuffer(70, STORAGE);
    expect(() => errors.throwFirst()).toThrow("a mistake");
  });
});
