/** How busy the event loop of this process is, and what makes way for it. */
import { performance } from "node:perf_hooks";

/** A measurement is over this much at least: shorter ones are noise. */
const LEAST_MS = 250;

/** Share of the time, 0 to 1, in which the event loop did not wait; over the last quarter of a second or longer. */
export function loopLoad(): () => number {
  let since = performance.eventLoopUtilization();
  let last = 0;
  return () => {
    const { idle, active, utilization } = performance.eventLoopUtilization(since);
    if (idle + active >= LEAST_MS) {
      since = performance.eventLoopUtilization();
      last = utilization;
    }
    return last;
  };
}

/** From this load on things are stretched, up to STRETCH_MOST at full load. */
const STRETCH_FROM = 0.7;
const STRETCH_MOST = 10;

/** By how much a watch's or a tail's intervals grow: 1 up to the load that is anybody's right, 10 at the full load. */
export function stretchOf(load: number): number {
  return 1 + (STRETCH_MOST - 1) * Math.max(0, Math.min(1, (load - STRETCH_FROM) / (1 - STRETCH_FROM)));
}
