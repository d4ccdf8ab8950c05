/** A sweep of eight cells of some seconds: Boolean functions and a linear teacher. */

export const TINY = `version: 1
name: tiny
grid:
  - data: { kind: boolean, function: junta, inputs: 5, k: 2, train: 24 }
    architecture: { kind: mlp, activation: tanh, depth: 1 }
    optimizer:
      - { kind: sgd, learningRate: 0.3 }
      - { kind: adam, learningRate: 0.02 }
    regulariser: [none, { kind: l2, strength: 0.001 }]
    scale: { width: [4, 6] }
    train: { steps: 150, batch: 12, evalEvery: 50 }
    estimate: { chains: 2, budget: 80, trajectory: 4, refine: never }
`;

/** The same of 24 cells, some 15 seconds of one core: long enough to be interrupted on a machine a few times as fast. */
export const LONGER = TINY.replace("name: tiny", "name: longer")
  .replace("train: { steps: 150", "seed: [1, 2, 3]\n    train: { steps: 4000")
  .replace("budget: 80", "budget: 1500, tolerance: 0.001");
