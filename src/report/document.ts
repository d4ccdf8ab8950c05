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
  /** The text at the page's end: the sweep file, or what else belongs to it whole. */
  readonly appendix: Appendix;
}

export interface Appendix {
  readonly title: string;
  readonly text: string;
  /** Shown at once, not only when it is asked for. */
  readonly isOpen: boolean;
}
