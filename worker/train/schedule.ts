/** Learning-rate schedules: the factor of the learning rate at one step. */
import type { TrainConfig } from "../../src/spec/cell.ts";

/**
 * `constant`: 1. `cosine`: 1/2 (1 + cos(pi (step-1)/steps)), from 1 at the first step towards 0 after the last (Loshchilov
 * & Hutter, arXiv 1608.03983, without restarts).
 * @param step 1 at the first update
 */
export function learningRateFactor({ schedule, steps }: TrainConfig, step: number): number {
  switch (schedule) {
    case "constant":
      return 1;
    case "cosine":
      return 0.5 * (1 + Math.cos((Math.PI * (step - 1)) / steps));
  }
}
