/** Sweep files of the benchmark: cells that cost a coordinator what any cell costs it. */

/**
 * A grid of a size: widths x rates x replicates, over ten fuse keys when it is large.
 * @param rate of the only cell of a small one: sweeps of one rate have the same cells
 */
export function sweepOfSize(name: string, cells: number, rate = 0.1): string {
  const wide = cells >= 1_000;
  const widths = wide ? [4, 8, 12, 16, 20, 24, 28, 32, 36, 40] : [4];
  const rates = wide ? [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1] : [rate];
  const replicates = cells / widths.length / rates.length;
  if (!Number.isInteger(replicates)) throw new Error(`a benchmark's grid cannot have ${cells} cells`);
  return `version: 1
name: ${name}
data: { kind: moons, train: 32, test: 16 }
grid:
  architecture: { kind: mlp, depth: 1 }
  optimizer: { kind: sgd, learningRate: { values: [${rates.join(", ")}] } }
  regulariser: none
  scale: { width: [${widths.join(", ")}] }
  seed: { replicates: ${replicates} }
train: { steps: 10, batch: 8 }
estimate: { sampler: none }
`;
}
