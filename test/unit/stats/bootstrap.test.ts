import { describe, expect, it } from "vitest";
import { rootKey } from "../../../src/core/random.ts";
import { bootstrapInterval, bootstrapMeanInterval } from "../../../src/stats/bootstrap.ts";
import { standardError } from "../../../src/stats/moments.ts";
import { independentChain } from "./drawn-chains.ts";

const key = rootKey("bootstrap test");

describe("a bootstrap interval", () => {
  it("of a mean is mean +- 1.96 standard errors for a large normal sample", () => {
    const values = independentChain("sample", 400);
    const { low, high } = bootstrapMeanInterval(values, { key, resamples: 4000 });
    // The simulated quantile of 4000 resamples has a standard error of about 0.04 standard errors of the mean.
    expect(Math.abs((high - low) / standardError(values) - 2 * 1.96)).toBeLessThan(0.3);
  });

  it("covers the true mean about as often as it says", () => {
    let covered = 0;
    for (let i = 0; i < 400; i += 1) {
      const options = { key: rootKey(`coverage ${i}`), resamples: 300, level: 0.9 };
      const { low, high } = bootstrapMeanInterval(independentChain(`sample ${i}`, 60), options);
      if (low <= 0 && 0 <= high) covered += 1;
    }
    // Binomial standard error 0.015; percentile intervals of 60 values cover about one point less than they say.
    expect(Math.abs(covered / 400 - 0.9)).toBeLessThan(0.055);
  });

  it("is the same for the same key and another for another key", () => {
    const values = independentChain("sample", 50);
    const first = bootstrapMeanInterval(values, { key });
    expect(bootstrapMeanInterval(values, { key })).toEqual(first);
    expect(bootstrapMeanInterval(values, { key: rootKey("another") })).not.toEqual(first);
  });

  it("is as wide as the number of clusters demands, not the number of rows", () => {
    const centres = independentChain("clusters", 30);
    const clusters = Float64Array.from({ length: 600 }, (_, row) => row % 30);
    const values = clusters.map((cluster) => centres[cluster]!);
    const clustered = bootstrapMeanInterval(values, { key, clusters });
    const naive = bootstrapMeanInterval(values, { key });
    expect((clustered.high - clustered.low) / (naive.high - naive.low)).toBeCloseTo(Math.sqrt(20), 0);
    expect(clustered).toEqual(bootstrapMeanInterval(centres, { key }));
  });

  it("draws whole rows, so that pairs stay together", () => {
    const values = independentChain("pairs", 40);
    const slopeOfItself = (drawn: Int32Array): number =>
      drawn.reduce((sum, row) => sum + values[row]! * values[row]!, 0) /
      drawn.reduce((sum, row) => sum + values[row]! ** 2, 0);
    expect(bootstrapInterval(40, slopeOfItself, { key })).toEqual({ low: 1, high: 1, undefinedResamples: 0 });
  });

  it("leaves out and counts resamples without a finite statistic, and is NaN when they are most", () => {
    const wanted = (share: number) => (drawn: Int32Array) => (drawn[0]! < share * 100 ? 1 : Number.NaN);
    const some = bootstrapInterval(100, wanted(0.8), { key, resamples: 1000 });
    expect(some).toMatchObject({ low: 1, high: 1 });
    expect(Math.abs(some.undefinedResamples - 200)).toBeLessThan(3 * Math.sqrt(160));
    expect(bootstrapInterval(100, wanted(0.2), { key, resamples: 1000 }).low).toBeNaN();
  });

  it("is NaN for one cluster or no value", () => {
    expect(bootstrapMeanInterval(Float64Array.of(1, 2, 3), { key, clusters: [7, 7, 7] }).low).toBeNaN();
    expect(bootstrapMeanInterval(new Float64Array(0), { key }).high).toBeNaN();
  });
});
