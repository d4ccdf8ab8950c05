/** What the selftest and its processes say to each other. A process runs one job at a time. */
import type { ErrorCode } from "../../src/core/errors.ts";
import type { Row } from "../../src/selftest/row.ts";
import type { BackendChoice } from "../trainer/protocol.ts";

/** Names a job: both sides have the same list. */
export interface JobName {
  readonly section: string;
  readonly index: number;
}

export type ToBench =
  | {
      readonly type: "open";
      readonly backend: BackendChoice;
      readonly seed: number;
      readonly budget: number | undefined;
    }
  | { readonly type: "job"; readonly job: JobName };

export type FromBench =
  | { readonly type: "ready"; readonly backend: string; readonly device: string }
  | { readonly type: "rows"; readonly rows: readonly Row[]; readonly cpuMs: number }
  /** The job threw, or the engine cannot be opened. */
  | { readonly type: "failed"; readonly code: ErrorCode; readonly message: string; readonly hint: string | undefined };
