/** Where a report's numbers come from: enough to run the sweep again. */
import { NO_VALUE, timeText } from "./number-text.ts";
import type { Table } from "./table.ts";

export interface Provenance {
  readonly sweepId: string;
  /** The sweep file as its author wrote it, and its name. */
  readonly specText: string;
  readonly specFile: string;
  readonly packageVersion: string;
  readonly numericsVersion: number;
  /** process.version and "linux x64". */
  readonly nodeVersion: string;
  readonly platform: string;
  /** Of the folder of the sweep file; null outside a repository. */
  readonly gitRevision: string | null;
  readonly startedMs: number | null;
  /** null while it runs. */
  readonly finishedMs: number | null;
}

export function provenanceTable(provenance: Provenance): Table {
  const { startedMs, finishedMs } = provenance;
  return {
    id: "provenance-table",
    title: "What was run",
    caption: "sweep.yaml beside this report holds the resolved spec; results.csv holds the seed of each cell.",
    columns: [{ title: "" }, { title: "", wraps: true }],
    rows: [
      ["sweep", provenance.sweepId],
      ["sweep file", provenance.specFile],
      ["Occam", `${provenance.packageVersion}, numerics ${provenance.numericsVersion}`],
      ["Node.js", `${provenance.nodeVersion}, ${provenance.platform}`],
      ["git revision", provenance.gitRevision ?? NO_VALUE],
      ["started", startedMs === null ? NO_VALUE : timeText(startedMs)],
      ["finished", finishedMs === null ? NO_VALUE : timeText(finishedMs)],
    ],
    absent: "",
  };
}
