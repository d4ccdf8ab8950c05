/** Where a sweep's numbers come from: what report and sweep.yaml say of this build and machine. */
import type { Sweep } from "../../proto/gen/occam/v1/operator.ts";
import { NUMERICS_VERSION, PACKAGE_VERSION } from "../core/version.ts";
import type { Provenance } from "../report/provenance.ts";

export function provenanceOf(sweep: Sweep, revision: string | null): Provenance {
  return {
    sweepId: sweep.sweepId,
    specText: sweep.specText,
    specFile: sweep.fileName,
    packageVersion: PACKAGE_VERSION,
    numericsVersion: NUMERICS_VERSION,
    nodeVersion: process.version,
    platform: `${process.platform} ${process.arch}`,
    gitRevision: revision,
    startedMs: Number(sweep.createdMs),
    finishedMs: sweep.finishedMs === 0n ? null : Number(sweep.finishedMs),
  };
}
