import { describe, expect, test } from "vitest";
import { OccamError } from "../../../src/core/errors.ts";
import { fillNormal, fillUniform, rootKey } from "../../../src/core/random.ts";
import { diagnoseBackends } from "../../../worker/doctor.ts";
import { isOutOfMemory, openEngine } from "../../../worker/engine/engine.ts";
import { BACKEND_NAMES } from "../../../worker/engine/loaded-backend.ts";
import { philoxNoise } from "../../../worker/engine/noise.ts";
import { MemberVector } from "../../../worker/engine/member-vector.ts";

describe("opening a backend", () => {
  test("wasm opens and says what it computes on", async () => {
    const engine = await openEngine("wasm");
    expect(engine).toMatchObject({ backend: "wasm" });
    expect(engine.device).toMatch(/^WebAssembly with (relaxed )?SIMD, one thread, on .+ \(\d+ cores\)$/);
    expect(engine.tf.getBackend()).toBe("wasm");
  });

  test("what is usable is said by the doctor, with its speed; what is not, with the reason and a remedy", async () => {
    const diagnoses = await diagnoseBackends();
    expect(diagnoses.map(({ backend }) => backend)).toEqual(["tensorflow-gpu", "tensorflow", "webgpu", "wasm"]);
    for (const diagnosis of diagnoses) {
      if (diagnosis.usable) expect(diagnosis.gflops).toBeGreaterThan(0.01);
      else {
        expect(diagnosis.reason).toContain(`backend ${diagnosis.backend}: `);
        expect(diagnosis.hint).not.toBe("");
      }
    }
    expect(diagnoses.at(-1)).toMatchObject({ backend: "wasm", usable: true, version: "4.22.0" });
  });

  test("a named backend that cannot be used is refused, and auto takes the best that can, saying why once", async () => {
    const unusable = (await diagnoseBackends()).filter(({ usable }) => !usable).map(({ backend }) => backend);
    for (const backend of unusable) {
      const refusal = await openEngine(backend).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(OccamError);
      expect(refusal).toMatchObject({ code: "unsupported", hint: expect.stringMatching(/./) });
    }
    const reasons: string[] = [];
    const engine = await openEngine("auto", { onFallback: (reason) => reasons.push(reason) });
    const better = BACKEND_NAMES.slice(0, BACKEND_NAMES.indexOf(engine.backend));
    expect(unusable).toEqual(expect.arrayContaining([...better]));
    expect(reasons).toHaveLength(better.length > 0 ? 1 : 0);
    for (const backend of better) expect(reasons[0]).toContain(`backend ${backend}: `);
  });
});

describe("noise by JavaScript, the reference of the backends' own", () => {
  const [a, b] = [rootKey("a"), rootKey("b")];

  test("each member's draws are those of its own stream; a member without a stream gets zeros", async () => {
    const { tf } = await openEngine("wasm");
    const noise = philoxNoise(tf);
    const [normal, uniform] = [new Float32Array(6), new Float32Array(6)];
    fillNormal(b, { a: 7, b: 2 }, normal);
    fillUniform(b, { a: 7, b: 2 }, uniform);
    tf.tidy(() => {
      const streams = [{ key: a, a: 7, b: 2 }, undefined, { key: b, a: 7, b: 2 }];
      for (const [drawn, expected] of [
        [noise.normals(streams, [2, 3]), normal],
        [noise.uniforms(streams, [2, 3]), uniform],
      ] as const) {
        expect(drawn.shape).toEqual([3, 2, 3]);
        expect(Array.from(drawn.dataSync().subarray(6, 12))).toEqual([0, 0, 0, 0, 0, 0]);
        expect(Array.from(drawn.dataSync().subarray(12))).toEqual([...expected]);
      }
    });
  });
});

describe("a member vector", () => {
  test("outlives the tidy that it was first asked in, and goes when it is disposed", async () => {
    const { tf } = await openEngine("wasm");
    const before = tf.memory().numTensors;
    const vector = new MemberVector(tf, [1, 2, 3]);
    const lent = tf.tidy(() => [vector.at(1), vector.at(3)].map(({ shape }) => shape));
    expect(lent).toEqual([[3], [3, 1, 1]]);
    expect([...vector.at(3).dataSync()]).toEqual([1, 2, 3]);
    vector.dispose();
    expect(tf.memory().numTensors).toBe(before);
  });
});

test("a failed allocation is told from other errors", () => {
  for (const text of ["Array buffer allocation failed", "OOM when allocating tensor", "Aborted(OOM)"]) {
    expect(isOutOfMemory(new Error(text))).toBe(true);
  }
  expect(isOutOfMemory(new OccamError("out-of-memory", "too wide"))).toBe(true);
  expect(isOutOfMemory(new Error("the room is empty"))).toBe(false);
});
