/**
 * Which version of the wire two ends speak: the newest that both know. A build knows its own version and the one before it, so
 * that coordinators and workers can be upgraded one after another, in either order.
 */
import { OccamError } from "./errors.ts";
import { PROTOCOL_VERSION } from "./version.ts";

/** Both included. */
export interface ProtocolRange {
  readonly oldest: number;
  readonly newest: number;
}

export const PROTOCOL: ProtocolRange = { oldest: Math.max(1, PROTOCOL_VERSION - 1), newest: PROTOCOL_VERSION };

/** @throws "unsupported" (exit code 78), saying which end is too old and what to do */
export function agreeOnProtocol(worker: ProtocolRange, coordinator: ProtocolRange): number {
  const version = Math.min(worker.newest, coordinator.newest);
  if (version >= worker.oldest && version >= coordinator.oldest) return version;
  const workerIsOld = worker.newest < coordinator.oldest;
  throw new OccamError(
    "unsupported",
    `the worker speaks protocol ${rangeText(worker)} and the coordinator ${rangeText(coordinator)}: ` +
      `the ${workerIsOld ? "worker is too old" : "worker is too new, or the coordinator too old"}`,
    {
      hint: workerIsOld
        ? "install the coordinator's version of occam on the worker"
        : "upgrade the coordinator first, one version at a time; then the workers",
    },
  );
}

function rangeText({ oldest, newest }: ProtocolRange): string {
  return oldest === newest ? `version ${newest}` : `versions ${oldest} to ${newest}`;
}
