/**
 * Dawn's events, delivered at once. WebGPU has no synchronous reading: a buffer is mapped when an event says so, and the
 * Node binding delivers events from a function that it hands to `setImmediate` whenever something is awaited. That function
 * may be called at any time, so we take one when it is handed over and call it ourselves until a buffer is mapped.
 *
 * Invariants
 * 1. `setImmediate` is replaced only within a synchronous call of ours and is always put back.
 * 2. Of what Dawn schedules meanwhile one function goes on to the real `setImmediate`, so that whoever awaits Dawn elsewhere
 *    is still served by the event loop.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { OccamError } from "../../../src/core/errors.ts";
import { BUFFER_USAGE, MAP_MODE_READ, type GpuBuffer, type GpuDevice } from "./dawn.ts";

type Deliver = () => void;

/** Deliveries in a row before the thread sleeps between them: about 0.1 ms, the time of a short wait for a GPU. */
const EAGER_DELIVERIES = 200;
/** Sleep between deliveries in a longer wait; a software device computes on the same cores. */
const SLEEP_MS = 0.05;
/** Turns of the event loop that Dawn is given to come to rest before its function is taken; it needs two. */
const REST_TURNS = 16;

export class DawnEvents {
  readonly #deliver: Deliver;
  readonly #sleeper = new Int32Array(new SharedArrayBuffer(4));

  private constructor(deliver: Deliver) {
    this.#deliver = deliver;
  }

  static async of(device: GpuDevice): Promise<DawnEvents> {
    const probe = device.createBuffer({ size: 4, usage: BUFFER_USAGE.mapRead | BUFFER_USAGE.copyDestination });
    try {
      for (let turn = 0; turn < REST_TURNS; turn += 1) {
        // While a delivery is already scheduled, Dawn schedules no other.
        await nextTurn();
        const [deliver, mapping] = intercept(() => probe.mapAsync(MAP_MODE_READ));
        if (deliver !== undefined) globalThis.setImmediate(deliver);
        await mapping;
        probe.unmap();
        if (deliver !== undefined) return new DawnEvents(deliver);
      }
    } finally {
      probe.destroy();
    }
    throw new OccamError("unsupported", "backend webgpu: this version of Dawn delivers its events in an unknown way", {
      hint: "install webgpu 0.6.2, or use another --backend",
    });
  }

  /** Returns once the buffer can be read; false when it never will. The driver bounds the wait: it gives up a device that hangs. */
  mapForReading(buffer: GpuBuffer): boolean {
    const [, mapping] = intercept(() => buffer.mapAsync(MAP_MODE_READ));
    // The buffer's state says it at once, the promise only in the next turn.
    mapping.catch(() => undefined);
    const [scheduled] = intercept(() => this.#deliverUntilSettled(buffer));
    globalThis.setImmediate(scheduled ?? this.#deliver);
    return buffer.mapState === "mapped";
  }

  #deliverUntilSettled(buffer: GpuBuffer): void {
    for (let deliveries = 0; buffer.mapState === "pending"; deliveries += 1) {
      if (deliveries >= EAGER_DELIVERIES) Atomics.wait(this.#sleeper, 0, 0, SLEEP_MS);
      this.#deliver();
    }
  }
}

/** What `run` returns, and the last function that it handed to `setImmediate`, which is not scheduled. */
function intercept<T>(run: () => T): readonly [Deliver | undefined, T] {
  const original = globalThis.setImmediate;
  let last: Deliver | undefined;
  globalThis.setImmediate = ((deliver: Deliver) => void (last = deliver)) as unknown as typeof original;
  try {
    const result = run();
    return [last, result];
  } finally {
    globalThis.setImmediate = original;
  }
}
