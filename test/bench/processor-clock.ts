/**
 * A clock that runs while this process computes: processor time of its threads. For a machine that others use at the same
 * time, where the wall's clock mostly tells who else was running.
 */
import { systemClock, type Clock } from "../../src/core/clock.ts";

export const processorClock: Clock = {
  ...systemClock,
  monotonicMs: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};
