import { describe, expect, it, test } from "vitest";
import { fillNormal, fold, rootKey } from "../../../src/core/random.ts";
import { quadraticAtT } from "../../../src/oracle/regular.ts";
import { sgldStationary, type SgldOnQuadratic } from "../../../src/oracle/sgld-stationary.ts";
import { mean, standardError } from "../../../src/stats/moments.ts";

/** One coordinate's recursion, independent chains from the origin, each run past its memory and then averaged. */
function simulate(run: SgldOnQuadratic, chains: number): { readonly mean: number; readonly standardError: number } {
  const { t, gamma, epsilon, batch } = run;
  const [warmup, steps] = [400, 1000];
  const readings = Float64Array.from({ length: chains }, (_, chain) => {
    const key = fold(rootKey("sgld"), "chain", chain);
    let reading = 0;
    run.curvatures.forEach((h, i) => {
      const normals = new Float32Array(2 * (warmup + steps));
      fillNormal(key, { a: i, b: 0 }, normals);
      let w = 0;
      let sum = 0;
      for (let step = 0; step < warmup + steps; step += 1) {
        if (step >= warmup) sum += (t * h * w * w) / 2;
        const gradient = h * w + Math.sqrt(run.covariances[i]! / batch) * normals[2 * step]!;
        w += (-epsilon / 2) * (t * gradient + gamma * w) + Math.sqrt(epsilon) * normals[2 * step + 1]!;
      }
      reading += sum / steps;
    });
    return reading;
  });
  return { mean: mean(readings), standardError: standardError(readings) };
}

describe("the stationary reading of SGLD on a quadratic", () => {
  const curvatures = [2, 1, 0.5];
  test.each<readonly [string, SgldOnQuadratic]>([
    ["full gradients, a small step", { curvatures, covariances: [0, 0, 0], t: 10, gamma: 1, epsilon: 0.01, batch: 1 }],
    ["full gradients, a large step", { curvatures, covariances: [0, 0, 0], t: 10, gamma: 1, epsilon: 0.15, batch: 1 }],
    ["noisy gradients", { curvatures, covariances: [3, 1, 2], t: 20, gamma: 2, epsilon: 0.03, batch: 8 }],
    ["noisier gradients", { curvatures, covariances: [5, 5, 5], t: 30, gamma: 5, epsilon: 0.02, batch: 2 }],
  ])("is what the recursion itself averages to: %s", (_, run) => {
    const simulated = simulate(run, 300);
    const { reading, stable } = sgldStationary(run);
    expect(stable).toBe(true);
    expect(Math.abs(simulated.mean - reading)).toBeLessThan(3 * simulated.standardError);
    expect(simulated.standardError / reading).toBeLessThan(0.01);
  });

  it("is the exact posterior's as the step goes to 0", () => {
    const run = { curvatures, covariances: [1, 1, 1], t: 10, gamma: 1, epsilon: 1e-12, batch: 4 };
    expect(sgldStationary(run).reading).toBeCloseTo(quadraticAtT(curvatures, 10, 1), 9);
  });

  it("does not exist from epsilon p = 4 on", () => {
    const run = { curvatures: [1, 3], covariances: [0, 0], t: 10, gamma: 2, batch: 1 };
    expect(sgldStationary({ ...run, epsilon: 0.1249 }).stable).toBe(true);
    expect(sgldStationary({ ...run, epsilon: 0.125 })).toEqual({ reading: Number.POSITIVE_INFINITY, stable: false });
    expect(simulate({ ...run, epsilon: 0.126 }, 1).mean).toBeGreaterThan(1e9);
  });
});
