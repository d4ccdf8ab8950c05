/**
 * What every sampler does, Hamiltonian Monte Carlo included, on surfaces whose posterior is known. Wherever a closed form is
 * confirmed, the form that a likely mistake would have is refuted beside it.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { fold, rootKey } from "../../src/core/random.ts";
import { normalCrossingAtT, powerSumAtT } from "../../src/oracle/normal-crossing.ts";
import { mean, standardError } from "../../src/stats/moments.ts";
import type { Engine } from "../../worker/engine/engine.ts";
import { rmspropSgld, RMSPROP_FLOOR } from "../../worker/sample/rmsprop-sgld.ts";
import { SAMPLERS } from "../../worker/sample/samplers.ts";
import { sgnht, SGNHT_DIFFUSION } from "../../worker/sample/sgnht.ts";
import { bowl, crossing, quartic } from "../support/analytic-surface.ts";
import { byHmc, bySampler, type Drawn, type Member, type Subject } from "../support/sampler-under-test.ts";
import { expectSame, IS_SLOW, openTestEngine, THE_SAME } from "../support/test-backend.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await openTestEngine();
});

const KEY = rootKey("sampler-conformance");
const [SGLD, NOISE_AVERAGED] = [bySampler(SAMPLERS.sgld.sampler), bySampler(SAMPLERS["noise-averaged"].sampler)];
const ALL: readonly (readonly [string, Subject])[] = [
  ...Object.entries(SAMPLERS).map(([name, { sampler }]) => [name, bySampler(sampler)] as const),
  ["hmc", byHmc(5)],
];

interface Estimate {
  readonly mean: number;
  readonly error: number;
}

/** Of independent chains. */
function estimateOf(chains: readonly Float64Array[]): Estimate {
  const means = Float64Array.from(chains, mean);
  return { mean: mean(means), error: standardError(means) };
}

const standardErrors = ({ mean, error }: Estimate, value: number): number => Math.abs(mean - value) / error;

describe.skipIf(IS_SLOW)("on the bowl 1/2 h |w|^2 the variance of a coordinate", () => {
  const [t, gamma] = [20, 2];
  const p = t + gamma;

  async function varianceOf(subject: Subject, epsilon: number, steps: number, given = { d: 32, h: 1, t, gamma }) {
    const potential = bowl(Array.from({ length: given.d }, () => given.h));
    const member = { key: KEY, t: given.t, gamma: given.gamma, epsilon };
    const [drawn] = await subject(engine, { potential, members: [member], chains: 64, steps });
    return estimateOf(drawn!.squares.map((chain) => chain.map((square) => square / given.d)));
  }

  const classic = (epsilon: number): number => 1 / (p * (1 - (epsilon * p) / 4));

  test.each([1 / p, 2.5 / p])("is 1 / (p (1 - eps p / 4)) by classic SGLD, eps = %f", async (epsilon) => {
    const read = await varianceOf(SGLD, epsilon, 400);
    expect(standardErrors(read, classic(epsilon))).toBeLessThan(3);
    expect(standardErrors(read, 1 / p)).toBeGreaterThan(10);
  });

  test.each([1 / p, 2.5 / p])("is 1/p by noise-averaged SGLD, eps = %f", async (epsilon) => {
    const read = await varianceOf(NOISE_AVERAGED, epsilon, 400);
    expect(standardErrors(read, 1 / p)).toBeLessThan(3);
    expect(standardErrors(read, classic(epsilon))).toBeGreaterThan(10);
  });

  test.each([SGNHT_DIFFUSION, 0.1])("is (1 - theta/2) / p by SGNHT with A = %f, near 1/p", async (diffusion) => {
    const epsilon = 0.2 / p;
    // 2 A = 2 theta - theta^2 - eps p theta / 2
    const half = 1 - (epsilon * p) / 4;
    const theta = half - Math.sqrt(half ** 2 - 2 * diffusion);
    const read = await varianceOf(bySampler(sgnht(diffusion)), epsilon, 1500);
    expect(standardErrors(read, (1 - theta / 2) / p)).toBeLessThan(3);
    // Friction after the gradient.
    expect(standardErrors(read, (1 - theta / 2) / (1 - theta) / p)).toBeGreaterThan(10);
    expect(Math.abs(read.mean * p - 1)).toBeLessThan(theta);
  });

  test("is that of SGLD with step G eps by RMSProp-SGLD where gradients are of one size", async () => {
    // Pure noise of size c about a bowl that is the prior's alone: v = c^2 exactly, once the start is forgotten.
    const given = { d: 32, h: 0, t: 7.4, gamma: p };
    const [epsilon, c] = [1 / p, 0.6];
    const withFactor = (g: number): number =>
      (1 + (epsilon * g * (given.t * c) ** 2) / 4) / (p * (1 - (epsilon * g * p) / 4));
    const read = await varianceOf(bySampler(rmspropSgld(), c), epsilon, 2000, given);
    expect(standardErrors(read, withFactor(1 / (c + RMSPROP_FLOOR)))).toBeLessThan(3);
    for (const wrong of [1, 1 / c, (c + RMSPROP_FLOOR) ** -2]) {
      expect(standardErrors(read, withFactor(wrong))).toBeGreaterThan(10);
    }
  });

  test.each([0.3, 1.7])("is 1/p by HMC, whatever the step: eps sqrt p = %f", async (share) => {
    const read = await varianceOf(byHmc(5), share / Math.sqrt(p), 3000, { d: 2, h: 1, t, gamma });
    expect(read.error * p).toBeLessThan(0.03);
    expect(standardErrors(read, 1 / p)).toBeLessThan(3);
    // Leapfrog without Metropolis: the modified energy has the precision p (1 - eps^2 p / 4).
    if (share > 1) expect(standardErrors(read, 1 / (p * (1 - share ** 2 / 4)))).toBeGreaterThan(10);
  });
});

describe.skipIf(IS_SLOW)("on what is no bowl", () => {
  const [t, gamma] = [100, 1];
  const chains = 128;

  test("a sum of quartics is read right by HMC and noise averaging, too large by SGLD and RMSProp-SGLD", async () => {
    const truth = powerSumAtT([4, 4, 4, 4, 4, 4, 4, 4, 4], t, gamma);
    const read = async (subject: Subject, epsilon: number, steps: number): Promise<Estimate> => {
      const members = [{ key: KEY, t, gamma, epsilon }];
      const [drawn] = await subject(engine, { potential: quartic(3), members, chains, steps });
      return estimateOf(drawn!.x);
    };
    for (const right of [await read(byHmc(10), 0.1, 2000), await read(NOISE_AVERAGED, 0.01, 1000)]) {
      expect(right.error / truth).toBeLessThan(0.02);
      expect(standardErrors(right, truth)).toBeLessThan(3);
    }
    const rmsprop = bySampler(SAMPLERS["rmsprop-sgld"].sampler);
    for (const off of [await read(SGLD, 0.01, 1000), await read(rmsprop, 0.002, 1000)]) {
      expect(off.mean / truth).toBeGreaterThan(1.1);
      expect((off.mean - truth) / off.error).toBeGreaterThan(10);
    }
  });

  test("the normal crossing a^2 b^2 is read right by HMC, too large by SGLD", async () => {
    const truth = normalCrossingAtT([1, 1], t, gamma);
    const read = async (subject: Subject, epsilon: number, steps: number): Promise<Estimate> => {
      const members = [{ key: KEY, t, gamma, epsilon }];
      const [drawn] = await subject(engine, { potential: crossing, members, chains, steps });
      return estimateOf(drawn!.x);
    };
    const right = await read(byHmc(10), 0.06, 3000);
    expect(right.error / truth).toBeLessThan(0.03);
    expect(standardErrors(right, truth)).toBeLessThan(3);
    const off = await read(SGLD, 0.004, 3000);
    expect((off.mean - truth) / off.error).toBeGreaterThan(4);
  });
});

describe.each(ALL)("%s", (name, subject) => {
  const potential = quartic(2);
  const [chains, steps] = [2, 60];
  const members: readonly Member[] = [0, 1, 2].map((index) => ({
    key: fold(KEY, "member", index),
    t: 20 + 10 * index,
    gamma: 1 + index,
    epsilon: (name === "hmc" ? 0.1 : 0.005) / (1 + index),
  }));
  const sampled = (of: readonly Member[]): Promise<readonly Drawn[]> =>
    subject(engine, { potential, members: of, chains, steps });

  function expectSameDraws(actual: Drawn, expected: Drawn): void {
    for (const of of ["x", "squares"] as const) {
      expect(expected[of]).toHaveLength(chains);
      expected[of].forEach((values, chain) => {
        expect(values.length).toBeGreaterThan(0);
        expectSame(Float32Array.from(actual[of][chain]!), Float32Array.from(values), `${of} of chain ${chain}`);
      });
    }
  }

  test(`gives a member draws that are ${THE_SAME} alone and among others, and twice`, async () => {
    const among = await sampled(members);
    for (const [index, member] of members.entries()) {
      const [alone] = await sampled([member]);
      expectSameDraws(among[index]!, alone!);
    }
    (await sampled(members)).forEach((again, index) => expectSameDraws(again, among[index]!));
  });

  test("moves every chain by its own key", async () => {
    const [first, second] = await sampled([members[0]!, { ...members[0]!, key: fold(KEY, "another") }]);
    const every = [...first!.x, ...second!.x];
    for (const values of every) expect(new Set(values).size).toBeGreaterThan(values.length / 2);
    expect(new Set(every.map((values) => values.join())).size).toBe(2 * chains);
  });

  test("leaves others as they are when one diverges", async () => {
    const wild = { ...members[1]!, epsilon: 1e30 };
    const [first, lost, third] = await sampled([members[0]!, wild, members[2]!]);
    const alone = await sampled([members[0]!, members[2]!]);
    expectSameDraws(first!, alone[0]!);
    expectSameDraws(third!, alone[1]!);
    for (const squares of lost!.squares) {
      // What is not finite is refused by HMC, and seen in the others.
      if (name === "hmc") expect(new Set(squares).size).toBe(1);
      else expect(squares.every(Number.isFinite)).toBe(false);
    }
  });

  test("keeps the number of live tensors over a thousand steps and leaves none behind", async () => {
    const before = engine.memory().tensors;
    const live = new Set<number>();
    const onStep = (): void => void live.add(engine.memory().tensors);
    await subject(engine, { potential, members, chains, steps: IS_SLOW ? 150 : 1000, onStep });
    expect(live.size).toBe(1);
    expect(engine.memory().tensors).toBe(before);
  });
});
