/** The gradients of every architecture of the registry. A file of its own, for it takes as long as all else of them. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Tf } from "../../src/catalogue/entry.ts";
import { architectureCases, modelOf } from "../support/architecture-cases.ts";
import type { ModelUnderTest } from "../support/model-under-test.ts";
import { normals, sizeOf, stack, unstack } from "../support/stacked.ts";
import { openTestBackend, settled } from "../support/test-backend.ts";

let tf: Tf;
beforeAll(async () => {
  tf = await openTestBackend();
});

/**
 * A device in software takes a second and more for each: there every third will do. The forward passes of all are tested on every
 * backend, and their gradients on wasm and on a device.
 */
const { OCCAM_TEST_BACKEND: backend, OCCAM_WEBGPU_SOFTWARE: software } = process.env;
const stride = backend === "webgpu" && software === "1" ? 3 : 1;

describe.each(architectureCases().filter((_, index) => index % stride === 0))("$name", (each) => {
  test("its gradients agree with central differences", async () => {
    await expectGradientsToAgree(modelOf(tf, each), each.config["activation"] === "relu");
  });
});

/**
 * Finite differences of L along one direction d for each parameter, against <gradient, d>; d has entries +-1/sqrt n, so that
 * every entry of the gradient weighs the same. With D(e) = (L(w + e d) - L(w - e d)) / 2e, the estimate is Richardson's
 * (4 D(e/2) - D(e)) / 3, whose truncation error is of order e^4.
 *
 * e = 2^-6 and the tolerance: L is a sum of some tens of float32 outputs of size about 1 with rounding errors of a few 2^-24
 * each, so D errs by about 1e-6 / e = 1e-4; truncation, e^4 L^(5) / 480 = 1e-10 L^(5), is left to the share of the gradient. A
 * wrong factor or sign, or one entry that is left out of a gradient, is an error of the order of |gradient| / sqrt n, which is
 * 0.06 |gradient| and more for the at most 300 entries here.
 *
 * With relu a kink within e of w spoils the differences that reach over it. Then the second-order difference of the other side,
 * (4 L(e/2) - L(e) - 3 L(0)) / e, is good: L is smooth, and but for layer normalisation linear, between kinks. Where kinks are on
 * both sides a smaller step has fewer of them, and more rounding: one of the estimates with e = 2^-8 .. 2^-11 has to agree. They
 * scatter by some thousandths of |gradient|, a tenth of what the least wrong entry makes.
 */
async function expectGradientsToAgree(model: ModelUnderTest, hasKinks: boolean): Promise<void> {
  const epsilons = hasKinks ? [8, 8.5, 9, 9.5, 10, 10.5, 11].map((octaves) => 2 ** -octaves) : [2 ** -6];
  for (const index of model.parameters.keys()) {
    tf.tidy(() => expectGradientToAgree(model, index, epsilons, hasKinks));
    await settled();
  }
}

function expectGradientToAgree(
  model: ModelUnderTest,
  index: number,
  epsilons: readonly number[],
  hasKinks: boolean,
): void {
  const members = [0, 1, 2];
  const { name, shape } = model.parameters[index]!;
  const input = model.stackInput(members);
  const weights = model.stackWeights(members);
  const gradients = model.gradients(weights, input);
  const size = sizeOf(shape);
  const direction = normals(`direction/${name}`, size).map((draw) => Math.sign(draw) / Math.sqrt(size));
  const step = stack(tf, members.map(() => direction), shape); // prettier-ignore
  const lossAt = (factor: number): readonly number[] => {
    const moved = weights.map((weight, at) => (at === index ? tf.add(weight, tf.mul(step, factor)) : weight));
    return model.losses(unstack(model.forward(moved, input)));
  };
  const losses = epsilons.map((e) => [e, [-e, -e / 2, 0, e / 2, e].map(lossAt)] as const);
  unstack(gradients[index]!).forEach((gradient, k) => {
    const exact = gradient.reduce((sum, value, i) => sum + value * direction[i]!, 0);
    const norm = Math.hypot(...gradient);
    expect(norm, `${name} of member ${k} matters`).toBeGreaterThan(0);
    const estimates = losses.flatMap(([e, at]) => differences(e, at.map((members) => members[k]!), hasKinks)); // prettier-ignore
    const error = Math.min(...estimates.map((estimate) => Math.abs(estimate - exact)));
    expect(error, `${name} of member ${k}: ${exact}, |gradient| ${norm}`).toBeLessThan(2e-4 + 1e-3 * norm);
  });
}

/** Estimates of the slope at 0 from losses at -e, -e/2, 0, e/2 and e. */
function differences(e: number, losses: readonly number[], hasKinks: boolean): readonly number[] {
  const [down, downHalf, here, upHalf, up] = losses as [number, number, number, number, number];
  const central = (8 * (upHalf - downHalf) - (up - down)) / (6 * e);
  if (!hasKinks) return [central];
  return [central, (4 * upHalf - up - 3 * here) / e, (3 * here - 4 * downHalf + down) / e];
}
