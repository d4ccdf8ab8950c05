/** The name of this machine's processor, for people. */
import { availableParallelism, cpus } from "node:os";

export function processor(): string {
  return `${cpus()[0]?.model.trim() ?? "an unknown processor"} (${availableParallelism()} cores)`;
}
