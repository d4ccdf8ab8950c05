/** Optimizers on problems whose whole path is known in closed form. */
import { beforeAll, describe, expect, test } from "vitest";
import { optimizerOf } from "../../src/catalogue/registry.ts";
import type { Scalar, Tf } from "../../src/catalogue/entry.ts";
import { descend } from "../support/optimizer-under-test.ts";
import type { Stack } from "../support/stacked.ts";
import { openTestBackend } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

const STEPS = 30;
const START = 2;

/** w_t of one weight, from 2, for t = 1 .. 30; the second member is there because programs have at least two. */
function path(kind: string, fields: Record<string, Scalar>, gradient: (w: number) => number): readonly number[] {
  const optimizer = optimizerOf({ kind });
  const config = { kind, ...optimizer.schema.parse(fields) };
  const { weights } = descend(tf, optimizer, {
    configs: [config, config],
    shape: [1],
    start: [Float32Array.of(START), Float32Array.of(START)],
    steps: STEPS,
    gradient: (_, now: Stack) => now.map((w) => w.map(gradient)),
  });
  return weights.map(([first]) => first![0]!);
}

/** Thirty float32 roundings of numbers of size 2 and less: 30 x 2 x 2^-24 = 4e-6. */
const TOLERANCE = 1e-5;

function expectPath(actual: readonly number[], expected: (t: number) => number): void {
  expect(actual).toHaveLength(STEPS);
  actual.forEach((w, index) =>
    expect(Math.abs(w - expected(index + 1)), `update ${index + 1}`).toBeLessThan(TOLERANCE),
  );
}

describe("on the quadratic a (w - c)^2 / 2", () => {
  const [a, c] = [0.8, 0.5];
  const gradient = (w: number): number => a * (w - c);

  test("sgd contracts by 1 - eta a", () => {
    const eta = 0.3;
    expectPath(path("sgd", { learningRate: eta }, gradient), (t) => c + (1 - eta * a) ** t * (START - c));
  });

  test.each([
    [0.05, 0.5],
    [0.6, 0.8],
  ])("momentum with eta %f and mu %f follows its two modes", (eta, mu) => {
    // e_{t+1} = (1 + mu - eta a) e_t - mu e_{t-1} with e_0 = e_{-1} = 1.5: roots real in the first case, complex in the second.
    const errors = secondOrder(1 + mu - eta * a, mu, START - c, START - c);
    expectPath(path("momentum", { learningRate: eta, momentum: mu }, gradient), (t) => c + errors(t));
  });

  test("nesterov follows its two modes", () => {
    // Sutskever's theta_t = kappa e_{t-1} with kappa = 1 - eta a, and e_t = theta_t + mu (theta_t - theta_{t-1}). Hence
    // e_{t+1} = kappa (1 + mu) e_t - kappa mu e_{t-1}, from theta_0 = e_0 = kappa e_{-1}.
    const [eta, mu] = [0.2, 0.7];
    const kappa = 1 - eta * a;
    const errors = secondOrder(kappa * (1 + mu), kappa * mu, START - c, (START - c) / kappa);
    expectPath(path("nesterov", { learningRate: eta, momentum: mu }, gradient), (t) => c + errors(t));
  });
});

describe("under a constant gradient g", () => {
  const g = -0.6;
  const constant = (): number => g;

  test("momentum's velocity is the geometric sum", () => {
    const [eta, mu] = [0.01, 0.9];
    // sum_{s <= t} (1 - mu^s) / (1 - mu)
    const moved = (t: number): number => (t - (mu * (1 - mu ** t)) / (1 - mu)) / (1 - mu);
    expectPath(path("momentum", { learningRate: eta, momentum: mu }, constant), (t) => START - eta * g * moved(t));
  });

  test("adam takes steps of exactly eta, because its corrected moments are g and g^2 from the first", () => {
    const eta = 0.02;
    const expected = (t: number): number => START - t * eta * (g / (Math.abs(g) + 1e-8));
    expectPath(path("adam", { learningRate: eta }, constant), expected);
  });

  test("adamw also contracts by 1 - eta lambda", () => {
    const [eta, lambda] = [0.02, 0.5];
    // w_{t+1} = (1 - eta lambda) w_t + eta: the fixed point is 1 / lambda.
    const expected = (t: number): number => 1 / lambda + (1 - eta * lambda) ** t * (START - 1 / lambda);
    expectPath(path("adamw", { learningRate: eta, weightDecay: lambda }, constant), expected);
  });

  test("rmsprop's average is g^2 (1 - rho^t)", () => {
    const [eta, rho] = [0.01, 0.9];
    let moved = 0;
    const expected = (t: number): number => {
      moved += g / (Math.abs(g) * Math.sqrt(1 - rho ** t) + 1e-8);
      return START - eta * moved;
    };
    expectPath(path("rmsprop", { learningRate: eta, decay: rho }, constant), expected);
  });

  test("lion takes steps of eta against the sign, and none where there is no gradient", () => {
    const eta = 0.02;
    expectPath(path("lion", { learningRate: eta }, constant), (t) => START + t * eta);
    expectPath(
      path("lion", { learningRate: eta }, () => 0),
      () => START,
    );
  });
});

/** e_t of e_{t+1} = p e_t - q e_{t-1} from the two roots z of z^2 = p z - q, real or complex. */
function secondOrder(p: number, q: number, now: number, before: number): (t: number) => number {
  const discriminant = (p * p) / 4 - q;
  const next = p * now - q * before;
  if (discriminant > 0) {
    const [z1, z2] = [p / 2 + Math.sqrt(discriminant), p / 2 - Math.sqrt(discriminant)];
    const first = (next - now * z2) / (z1 - z2);
    return (t) => first * z1 ** t + (now - first) * z2 ** t;
  }
  // r^t (A cos t theta + B sin t theta), with r^2 = q.
  const [r, theta] = [Math.sqrt(q), Math.acos(p / 2 / Math.sqrt(q))];
  const b = (next / r - now * Math.cos(theta)) / Math.sin(theta);
  return (t) => r ** t * (now * Math.cos(t * theta) + b * Math.sin(t * theta));
}
