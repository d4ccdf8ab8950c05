/** What a report says, in order, before it is put into HTML or Markdown. */
import type { Absent, Figure } from "./figure.ts";
import type { Table } from "./table.ts";

/** A number of the headline. */
export interface Headline {
  readonly name: string;
  readonly value: string;
}

export interface Section {
  readonly id: string;
  readonly title: string;
  /** What to know before one reads it; may be empty. */
  readonly intro: string;
  readonly figures: readonly (Figure | Absent)[];
  readonly tables: readonly Table[];
}

export interface ReportDocument {
  readonly title: string;
  readonly lede: string;
  readonly headlines: readonly Headline[];
  readonly sections: readonly Section[];
  /** What `specText` is: "Sweep file". */
  readonly specTitle: string;
  readonly specText: string;
}
