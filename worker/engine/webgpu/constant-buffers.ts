/**
 * Uniform buffers by their content. A step's programs have the same sizes as those of the step before, so that writing them
 * anew each time, as TensorFlow.js does, costs a copy on the device's queue a program for nothing.
 *
 * Invariants
 * 1. A buffer is written once, before anything that reads it, and never again while it is kept.
 * 2. At most MOST are kept. What was not asked for longest goes back to the pool with the next submit, as TensorFlow.js's own
 *    uniforms do: a program that is recorded and not yet submitted may read it.
 */
import { invariant } from "../../../src/core/errors.ts";
import { BUFFER_USAGE, type GpuBuffer } from "./dawn.ts";
import type { TfjsUniform, WebgpuBackend } from "./tfjs-backend.ts";

/** Some networks' worth of programs, at about 100 bytes each. */
const MOST = 4096;

export class ConstantBuffers {
  readonly #backend: WebgpuBackend;
  readonly #kept = new Map<string, GpuBuffer>();

  constructor(backend: WebgpuBackend) {
    this.#backend = backend;
  }

  /** Takes over the uniforms of TensorFlow.js's programs. */
  takeOver(): void {
    const backend = this.#backend;
    const make = backend.makeUniforms.bind(backend);
    backend.makeUniforms = (uniforms) => {
      const buffer = this.#of(keyOf(uniforms), () => {
        const made = make(uniforms).buffer;
        invariant(backend.uniformPendingDisposal.pop() === made, "uniforms are listed to be released as they are made");
        return made;
      });
      return { offset: 0, size: buffer.size, buffer };
    };
  }

  /** Of so many unsigned words. */
  words(values: readonly number[]): GpuBuffer {
    return this.#of(values.join(), () => {
      const usage = BUFFER_USAGE.uniform | BUFFER_USAGE.copyDestination;
      const buffer = this.#backend.bufferManager.acquireBuffer(4 * values.length, usage);
      this.#backend.queue.writeBuffer(buffer, 0, Int32Array.from(values));
      return buffer;
    });
  }

  #of(key: string, make: () => GpuBuffer): GpuBuffer {
    const known = this.#kept.get(key);
    const buffer = known ?? make();
    // The one that was asked for last stands at the end.
    this.#kept.delete(key);
    this.#kept.set(key, buffer);
    if (this.#kept.size > MOST) this.#dropOldest();
    return buffer;
  }

  #dropOldest(): void {
    const [key, buffer] = this.#kept.entries().next().value!;
    this.#kept.delete(key);
    this.#backend.uniformPendingDisposal.push(buffer);
  }
}

/** Tells -0 from 0, which `join` does not. */
const keyOf = (uniforms: readonly TfjsUniform[]): string =>
  uniforms.map(({ type, data }) => `${type[0]}${Object.is(data[0], -0) ? "-" : ""}${data.join()}`).join(";");
