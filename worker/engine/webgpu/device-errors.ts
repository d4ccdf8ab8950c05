/**
 * What the device complains of. WebGPU calls return before they are known to be good: a mistake or a lack of memory comes
 * as an event and the results are garbage. It is kept here and thrown where results are read, so that none is believed.
 *
 * The binding fires the event of a refused allocation within the call, which is how the buffer pool learns of it at once.
 */
import { OccamError } from "../../../src/core/errors.ts";
import type { GpuDevice, GpuErrorEvent } from "./dawn.ts";

export class DeviceErrors {
  #first: GpuErrorEvent["error"] | undefined;

  constructor(device: GpuDevice) {
    device.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#first ??= event.error;
    });
  }

  /** Throws the first error since the last call: OccamError "out-of-memory" or "internal". */
  throwFirst(): void {
    const error = this.#first;
    this.#first = undefined;
    if (error === undefined) return;
    const code = isOutOfMemory(error) ? "out-of-memory" : "internal";
    throw new OccamError(code, `backend webgpu: ${error.message.split("\n", 1)[0]!}`, { cause: error });
  }

  /** What a call makes; undefined when the device had no memory for it. */
  unlessOutOfMemory<T>(call: () => T): T | undefined {
    const before = this.#first;
    this.#first = undefined;
    const result = call();
    const error = this.#first as GpuErrorEvent["error"] | undefined;
    if (error !== undefined && isOutOfMemory(error)) {
      this.#first = before;
      return undefined;
    }
    this.#first = before ?? error;
    return result;
  }
}

const isOutOfMemory = (error: GpuErrorEvent["error"]): boolean => error.constructor.name === "GPUOutOfMemoryError";
