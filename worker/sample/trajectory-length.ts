/** How many leapfrog steps a transition of Hamiltonian Monte Carlo has. */
import { fillIntegers, rootKey, type RandomKey } from "../../src/core/random.ts";

/** All trajectories in the world have lengths from this key, so that chains which share a program need not share a cell. */
const LENGTHS: RandomKey = rootKey("hmc/trajectory-lengths");

/** Uniform in [L/2, 3L/2], a function of the transition's number and of L alone. */
export function trajectoryLength(transition: number, mean: number): number {
  const least = Math.max(1, Math.ceil(mean / 2));
  const most = Math.floor((3 * mean) / 2);
  const drawn = new Int32Array(1);
  fillIntegers(LENGTHS, { a: transition, b: mean }, most - least + 1, drawn);
  return least + drawn[0]!;
}
