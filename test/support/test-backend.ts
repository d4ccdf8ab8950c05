/**
 * The backend that numeric conformance tests run on: OCCAM_TEST_BACKEND, or wasm. `npm test` runs them once more for each
 * other backend that works on the machine.
 *
 * On wasm a member's numbers are bitwise the same whoever shares its program. Elsewhere a kernel may take another path for
 * another number of members: TensorFlow's exp and erf differ in the last bit between the lanes of a vector and what is left
 * over, and libraries choose tiles by size. There the claim is "the same within rounding".
 */
import { scheduler } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, expect } from "vitest";
import type { Tf } from "../../src/catalogue/entry.ts";
import { loadBackend } from "../../worker/engine/backends.ts";
import { openEngine, type Engine } from "../../worker/engine/engine.ts";
import { BACKEND_NAMES, type BackendName } from "../../worker/engine/loaded-backend.ts";
import { bitsOf } from "./stacked.ts";

export const TEST_BACKEND = backendOf(process.env["OCCAM_TEST_BACKEND"] ?? "wasm");
export const BITWISE = TEST_BACKEND === "wasm";
/** A device in software, which is what tests run webgpu on: whatever takes minutes there is left to the other backends. */
export const IS_SLOW = TEST_BACKEND === "webgpu";
/** For names of tests. */
export const THE_SAME = BITWISE ? "bitwise the same" : "the same within rounding";

/**
 * What Dawn holds for a dispatch goes when its JavaScript object was collected and the event loop turns. A worker's loop turns
 * every 25 ms; tests, which compute in one go, would reach the kernel's limit of memory maps first.
 */
export async function settled(): Promise<void> {
  if (TEST_BACKEND !== "webgpu") return;
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  await scheduler.yield();
}
if (TEST_BACKEND === "webgpu") afterEach(settled);

/**
 * Of the largest number of the tensor. Seen on tensorflow, 2.21.0 on a processor, over every architecture and small task, in
 * programs of two members against five: 1.1e-6 of outputs, 4.7e-6 of gradients (a transformer's, through two softmaxes).
 * Numbers of another member differ by about 1.
 */
const ROUNDING = 3e-5;

export async function openTestBackend(): Promise<Tf> {
  return (await loadBackend(TEST_BACKEND)).tf;
}

export function openTestEngine(): Promise<Engine> {
  return openEngine(TEST_BACKEND);
}

/** Results of one member in two programs. */
export function expectSame(actual: Float32Array, expected: Float32Array, message = ""): void {
  expect(actual.length, message).toBe(expected.length);
  if (BITWISE) {
    expect(bitsOf(actual), message).toEqual(bitsOf(expected));
    return;
  }
  const tolerance = ROUNDING * Math.max(...expected.map(Math.abs));
  const errors = actual.map((value, i) => Math.abs(value - expected[i]!));
  // Not "the largest error is at most": a NaN has to fail.
  expect(
    errors.every((error) => error <= tolerance),
    `${message} errs by ${Math.max(...errors)}, more than ${tolerance}`,
  ).toBe(true);
}

function backendOf(text: string): BackendName {
  const name = BACKEND_NAMES.find((candidate) => candidate === text);
  if (name === undefined) throw new Error(`OCCAM_TEST_BACKEND is one of ${BACKEND_NAMES.join(", ")}, not ${text}`);
  return name;
}
