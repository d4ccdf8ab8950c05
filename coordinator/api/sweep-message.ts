/** A sweep and its counts, as messages. */
import type { CellCounts, Sweep as SweepMessage } from "../../proto/gen/occam/v1/operator.ts";
import { sweepState } from "../../src/wire/enums.ts";
import type { Sweep } from "../hot/sweep.ts";

export function sweepMessage(sweep: Sweep): SweepMessage {
  const { id, name, createdMs, specText, fileName, scope, require, submitter } = sweep.record;
  return {
    sweepId: id,
    name,
    state: sweepState.toWire(sweep.state),
    createdMs: BigInt(createdMs),
    finishedMs: BigInt(sweep.finishedMs ?? 0),
    counts: countsOf(sweep),
    specText,
    fileName,
    noCache: scope !== "",
    paused: sweep.paused,
    priority: sweep.priority,
    maxWorkers: sweep.maxWorkers,
    require,
    submitter,
  };
}

function countsOf(sweep: Sweep): CellCounts {
  return { total: sweep.total, ...sweep.counts };
}
