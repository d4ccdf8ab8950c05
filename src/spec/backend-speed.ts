/**
 * How fast a backend is assumed to be when a plan states times. ESTIMATES, to tell minutes from days: they were measured on
 * small fused programs on one machine (or, where no such machine was at hand, taken low), and yours is another one.
 */

export interface BackendSpeed {
  readonly backend: string;
  readonly gigaflopsPerSecond: number;
  /** What each step of a fused program costs whatever its width: the dispatch of its operations. */
  readonly stepSeconds: number;
  /** Where the numbers come from. */
  readonly basis: string;
}

export const BACKEND_SPEEDS: readonly BackendSpeed[] = [
  {
    backend: "wasm",
    gigaflopsPerSecond: 1.3,
    stepSeconds: 0.0005,
    basis: "one process on one core; tfjs wasm as shipped takes a scalar loop for batched products, 1 to 2 GFLOP/s",
  },
  {
    backend: "tensorflow",
    gigaflopsPerSecond: 20,
    stepSeconds: 0.001,
    basis: "one process on a few CPU cores; small matrices reach a fraction of the library's peak",
  },
  {
    backend: "tensorflow-gpu",
    gigaflopsPerSecond: 1000,
    stepSeconds: 0.004,
    basis: "one data-centre GPU; wide fused programs of small matrices reach a few percent of its float32 peak",
  },
];
