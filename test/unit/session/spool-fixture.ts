/** Spools for tests: in a folder for temporary files, as a worker's own. */
import { tmpdir } from "node:os";
import type { Clock } from "../../../src/core/clock.ts";
import { newSpoolFile } from "../../../worker/session/spool-folder.ts";
import { Spool, type SpoolOptions } from "../../../worker/session/spool.ts";

export function newSpool(clock: Clock, options: Partial<SpoolOptions> = {}): Spool {
  return new Spool({
    clock,
    limitBytes: 1 << 30,
    segmentBytes: 1 << 22,
    newFile: () => newSpoolFile(tmpdir(), 1 << 22),
    onTrouble: () => undefined,
    ...options,
  });
}
