/**
 * How fast a backend is assumed to be when a plan states times. ESTIMATES, to tell minutes from days: they were measured on
 * fused programs on one machine (or, where no such machine was at hand, taken low), and yours is another one.
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
    gigaflopsPerSecond: 28,
    stepSeconds: 0.00025,
    basis: "one process on one core without relaxed SIMD; training steps of fused MLPs and CNNs: 20 to 44 GFLOP/s",
  },
  {
    backend: "tensorflow",
    gigaflopsPerSecond: 40,
    stepSeconds: 0.001,
    basis: "not measured; one process on a few CPU cores; small matrices reach a fraction of the library's peak",
  },
  {
    backend: "webgpu",
    gigaflopsPerSecond: 300,
    stepSeconds: 0.006,
    basis: "not measured; one data-centre GPU; each of a step's hundred-odd dispatches goes through JavaScript",
  },
  {
    backend: "tensorflow-gpu",
    gigaflopsPerSecond: 1000,
    stepSeconds: 0.004,
    basis:
      "not measured; one data-centre GPU; wide fused programs of small matrices reach a few percent of its float32 peak",
  },
];
