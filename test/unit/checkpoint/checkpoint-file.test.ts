/** A checkpoint comes back with the same bits, and whatever is not a whole one of this cell is told from it. */
import { execFileSync } from "node:child_process";
import { writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asCellId } from "../../../src/core/ids.ts";
import { CellMemory } from "../../../worker/checkpoint/cell-memory.ts";
import { openCheckpoint, readCheckpoint, writeCheckpoint } from "../../../worker/checkpoint/checkpoint-file.ts";
import { fromSafetensors, toSafetensors } from "../../../worker/checkpoint/safetensors.ts";
import { putTogether, takeApart } from "../../../worker/checkpoint/saved-value.ts";

const CELL = asCellId("ab".repeat(32));
const FACTS = { cellId: CELL, backend: "wasm", attempt: 2, savedAtMs: 1_700_000_000_000 };

function memory(): CellMemory {
  const made = new CellMemory();
  made.say([
    { series: "train.loss", step: 0, value: 0.1 },
    { series: "batch.loss", step: 3, value: Number.NaN },
    { series: "train.loss", step: 5, value: Number.POSITIVE_INFINITY },
  ]);
  made.piece("train").finish({ outcome: "ok", accuracy: null, weights: [Float32Array.of(1, -0, Number.NaN)] });
  const state = { step: 7, value: Number.NEGATIVE_INFINITY, zero: -0, position: [{ shape: [2, 1], values: Float32Array.of(3, 4) }], x: Float64Array.of(0.1) }; // prettier-ignore
  made.piece("chains", 1).stands(() => 7, () => state); // prettier-ignore
  return made;
}

const file = (): Uint8Array => writeCheckpoint(memory(), FACTS);

describe("a checkpoint", () => {
  test("comes back with every bit of every piece, and with the points in their order", () => {
    const { memory: back, summary } = readCheckpoint(file(), FACTS);
    expect(summary).toMatchObject({ ...FACTS, phase: "chains", step: "7" });
    expect(back.position).toBe("chains@7");
    expect(back.points).toEqual(memory().points);
    expect(back.piece("train").result).toEqual(memory().piece("train").result);
    expect(back.piece("chains", 1).left).toEqual(memory().snapshot().underWay["chains.1"]!.state);
    expect(back.isNew).toBe(false);
  });

  test("comes back with the time that the cell has taken; one of an older build, which does not say, with none", () => {
    const made = memory();
    made.times.run("trainMs", () => 1_500);
    made.times.stop();
    made.times.run("estimateMs", () => 0.25);
    const whole = writeCheckpoint(made, FACTS);
    expect(readCheckpoint(whole, FACTS).memory.times.spent).toEqual({ trainMs: 1_500, estimateMs: 0.25 });
    const older = resealed(resealed(whole, "trainMs", "unknown"), "estimateMs", "unknown-to");
    expect(readCheckpoint(older, FACTS).memory.times.spent).toEqual({ trainMs: 0, estimateMs: 0 });
  });

  test("comes back from a Buffer at any address of a larger one, as files and messages are read", () => {
    const whole = file();
    const larger = Buffer.alloc(whole.length + 64, 0xff);
    for (const at of [0, 3, 8, 61]) {
      larger.set(whole, at);
      const { memory: back } = readCheckpoint(larger.subarray(at, at + whole.length), FACTS);
      expect(back.points).toEqual(memory().points);
      expect(back.piece("chains", 1).left).toEqual(memory().snapshot().underWay["chains.1"]!.state);
    }
  });

  test("of anything plain comes back as it was", () => {
    const leaf = fc.oneof(fc.double(), fc.string(), fc.boolean(), fc.constant(null), fc.float32Array(), fc.float64Array(), fc.int32Array()); // prettier-ignore
    const key = fc.stringMatching(/^[a-z]{1,8}$/);
    const value = fc.letrec((tie) => ({
      any: fc.oneof({ depthSize: "small" }, leaf, fc.array(tie("any")), fc.dictionary(key, tie("any"), { noNullPrototype: true })), // prettier-ignore
    })).any;
    fc.assert(
      fc.property(value, (given) => {
        const { skeleton, tensors } = takeApart(given);
        const bytes = toSafetensors({ metadata: { state: JSON.stringify(skeleton) }, tensors });
        const back = fromSafetensors(bytes);
        const byName = new Map(back.tensors.map((tensor) => [tensor.name, tensor]));
        expect(putTogether(JSON.parse(back.metadata["state"]!), byName)).toEqual(given);
      }),
    );
  });

  test.each([
    ["torn off anywhere", (whole: Uint8Array) => whole.slice(0, whole.length - 5), /no whole safetensors file/],
    ["empty", () => new Uint8Array(0), /too short/],
    ["of another kind", () => new TextEncoder().encode("{ not a checkpoint at all }"), /no whole safetensors file/],
    ["longer than it says", (whole: Uint8Array) => Uint8Array.from([...whole, 0]), /bytes of numbers/],
    [
      "with one bit changed at its end",
      (whole: Uint8Array) => whole.with(whole.length - 1, whole.at(-1)! ^ 1),
      /checksum/,
    ],
    [
      "with another attempt in its header",
      (whole: Uint8Array) => replaced(whole, '"attempt":"2"', '"attempt":"3"'),
      /checksum/,
    ],
    [
      "of another format",
      (whole: Uint8Array) => resealed(whole, "occam-checkpoint/1", "occam-checkpoint/0"),
      /format is occam-checkpoint\/0/,
    ],
    [
      "of other numerics",
      (whole: Uint8Array) => resealed(whole, /"numerics":"\d/, '"numerics":"9'),
      /numerics version 9/,
    ],
    [
      "of another backend",
      (whole: Uint8Array) => resealed(whole, '"backend":"wasm"', '"backend":"gpu0"'),
      /computed on gpu0/,
    ],
    [
      "of another cell",
      (whole: Uint8Array) => resealed(whole, "ab".repeat(32), "cd".repeat(32)),
      /of the cell cdcdcdcdcdcd/,
    ],
  ])("that is %s is refused", (_, spoil, reason) => {
    expect(() => readCheckpoint(spoil(file()), FACTS)).toThrow(reason);
  });

  test("is refused at every length but its own", () => {
    const whole = file();
    for (let length = 0; length < whole.length; length += 7) {
      expect(() => openCheckpoint(whole.slice(0, length)), `${length} bytes`).toThrow(/safetensors|checksum/);
    }
  });

  test.skipIf(!hasSafetensors())("is read by Python's safetensors", () => {
    const folder = mkdtempSync(join(tmpdir(), "occam-checkpoint-"));
    try {
      const path = join(folder, "cell.safetensors");
      writeFileSync(path, file());
      const code = `from safetensors.numpy import load_file; t = load_file("${path}"); print(t["underWay.chains.1.state.position.0"].tolist())`;
      expect(execFileSync("python3", ["-c", code], { encoding: "utf8" }).trim()).toBe("[[3.0], [4.0]]");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function hasSafetensors(): boolean {
  try {
    execFileSync("python3", ["-c", "import safetensors.numpy"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function replaced(whole: Uint8Array, from: string | RegExp, to: string): Uint8Array {
  return Uint8Array.from(Buffer.from(Buffer.from(whole).toString("latin1").replace(from, to), "latin1"));
}

/** With a checksum that fits. */
function resealed(whole: Uint8Array, from: string | RegExp, to: string): Uint8Array {
  const bare = replaced(replaced(whole, /"sha256":"[0-9a-f]{64}"/, `"sha256":"${"0".repeat(64)}"`), from, to);
  return replaced(
    bare,
    `"sha256":"${"0".repeat(64)}"`,
    `"sha256":"${createHash("sha256").update(bare).digest("hex")}"`,
  );
}
