import { describe, expect, test } from "vitest";
import { fillUniform, rootKey } from "../../../src/core/random.ts";
import { adaptStepSize, firstStepSize, TARGET_ACCEPTANCE, type StepSize } from "../../../worker/sample/step-size.ts";

/** Falls from 1 to 0 around a scale, as the acceptance of leapfrog steps does; 0.8 at scale * sqrt(log 1.25). */
const acceptanceAt = (epsilon: number, scale: number): number => Math.exp(-((epsilon / scale) ** 2));
const bestAt = (scale: number): number => scale * Math.sqrt(-Math.log(TARGET_ACCEPTANCE));

function learned(first: number, updates: number, acceptance: (epsilon: number, update: number) => number): StepSize {
  let size = firstStepSize(first);
  for (let m = 0; m < updates; m += 1) size = adaptStepSize(size, acceptance(size.epsilon, m));
  return size;
}

describe("dual averaging", () => {
  test.each([1e-3, 0.1, 1, 30, 1e4])(
    "finds the step of the target acceptance from a first step %f times as large",
    (factor) => {
      const scale = 0.02;
      const { frozen, updates } = learned(factor * bestAt(scale), 400, (epsilon) => acceptanceAt(epsilon, scale));
      expect(updates).toBe(400);
      expect(Math.abs(acceptanceAt(frozen, scale) - TARGET_ACCEPTANCE)).toBeLessThan(0.02);
    },
  );

  test("finds it from the acceptance of four chains that is as noisy as in life", () => {
    const scale = 3;
    const uniform = new Float32Array(4);
    const { frozen } = learned(1, 400, (epsilon, m) => {
      fillUniform(rootKey("step-size-test"), { a: m, b: 0 }, uniform);
      // min(1, u^k), u uniform, has the mean 1/(1 + k).
      const k = 1 / acceptanceAt(epsilon, scale) - 1;
      return uniform.reduce((sum, u) => sum + u ** k, 0) / 4;
    });
    expect(Math.abs(acceptanceAt(frozen, scale) - TARGET_ACCEPTANCE)).toBeLessThan(0.05);
  });

  test("takes the first step first, then a smaller one after a refusal and a larger one after a success", () => {
    const first = firstStepSize(0.5);
    expect(first).toMatchObject({ updates: 0, epsilon: 0.5, frozen: 0.5 });
    const [refused, taken] = [adaptStepSize(first, 0), adaptStepSize(first, 1)];
    expect(refused.epsilon).toBeLessThan(taken.epsilon);
    // log eps_1 = log(2 eps_0) - (1 / 0.05) (0.8 - a) / 11
    expect(refused.epsilon).toBeCloseTo(Math.exp((-20 * 0.8) / 11), 12);
    expect(taken.epsilon).toBeCloseTo(Math.exp((20 * 0.2) / 11), 12);
    expect(refused.frozen).toBe(refused.epsilon);
  });

  test("freezes the average of log eps with weights m^-0.75", () => {
    const acceptances = [0.3, 0.95, 0.6, 1, 0.1];
    let size = firstStepSize(2);
    let log = 0;
    acceptances.forEach((acceptance, index) => {
      size = adaptStepSize(size, acceptance);
      const share = (index + 1) ** -0.75;
      log = share * Math.log(size.epsilon) + (1 - share) * log;
    });
    expect(Math.log(size.frozen)).toBeCloseTo(log, 12);
  });

  test("stays finite and positive where nothing is ever accepted, and where everything is", () => {
    const [none, all] = [0, 1].map((acceptance) => learned(1, 300, () => acceptance));
    for (const { epsilon, frozen } of [none!, all!]) {
      for (const value of [epsilon, frozen]) expect(Number.isFinite(value) && value > 0).toBe(true);
    }
    expect(none!.frozen).toBeLessThan(1e-30);
    expect(all!.frozen).toBeGreaterThan(1e10);
  });
});
