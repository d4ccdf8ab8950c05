/** Networks of the ensembles: as many parameters as asked for, of the ranks that they say, with truths of their own weights. */
import { describe, expect, test } from "vitest";
import { fold, rootKey } from "../../../src/core/random.ts";
import { localDeepLinear, rankArrayOfWeights } from "../../../src/oracle/deep-linear.ts";
import {
  canonicalWeights,
  genericWeights,
  randomNetwork,
  truthsOf,
  type EnsembleShape,
} from "../../../worker/selftest/random-network.ts";

const SHAPE: EnsembleShape = { mostLayers: 5, leastWidth: 5, mostWidth: 30, logParameters: Math.log(600), within: 0.5 };
const KEY = rootKey("random-network");
const NETWORKS = Array.from({ length: 20 }, (_, i) => ({ key: fold(KEY, "network", i), network: randomNetwork(SHAPE, fold(KEY, "network", i)) })); // prettier-ignore

describe("a random deep linear network", () => {
  test("has widths and parameters within bounds, and is the same for the same key", () => {
    for (const { network, key } of NETWORKS) {
      const { widths, parameters } = network;
      expect(widths.length).toBeGreaterThanOrEqual(3);
      expect(widths.length).toBeLessThanOrEqual(6);
      expect(Math.min(...widths)).toBeGreaterThanOrEqual(5);
      expect(Math.max(...widths)).toBeLessThanOrEqual(30);
      expect(Math.abs(Math.log(parameters / 600))).toBeLessThanOrEqual(0.5);
      expect(randomNetwork(SHAPE, key)).toEqual(network);
    }
    const reduced = NETWORKS.filter(({ network: { widths, ranks } }) => ranks.some((rank, s) => rank < Math.min(widths[s]!, widths[s + 1]!))); // prettier-ignore
    // 20 coins.
    expect(reduced.length).toBeGreaterThan(3);
    expect(reduced.length).toBeLessThan(17);
  });

  test("has the truths of its own weights, which are counted here from their ranks as numbers", () => {
    for (const { network, key } of NETWORKS) {
      const { canonical, generic } = truthsOf(network);
      const localAt = (weights: readonly Float32Array[]): number => localDeepLinear(rankArrayOfWeights(weights, network.widths)); // prettier-ignore
      expect(localAt(canonicalWeights(network))).toBe(canonical);
      expect(localAt(genericWeights(network, key))).toBe(generic);
      expect(generic).toBeGreaterThanOrEqual(canonical);
    }
  });

  test("draws every layer with variance 2 / (fan in + fan out), of full rank or not", () => {
    let [sum, count] = [0, 0];
    for (const { network, key } of NETWORKS) {
      genericWeights(network, key).forEach((layer, s) => {
        if (network.ranks[s] === 0) return;
        const variance = 2 / (network.widths[s]! + network.widths[s + 1]!);
        for (const value of layer) sum += value ** 2 / variance;
        count += layer.length;
      });
    }
    // Some ten thousand entries, those of low ranks correlated.
    expect(sum / count).toBeGreaterThan(0.9);
    expect(sum / count).toBeLessThan(1.1);
  });
});
