/** A table of a report: texts, with which columns are numbers; HTML and Markdown are made from it. */

export interface TableColumn {
  readonly title: string;
  /** Numbers are set flush right. */
  readonly numeric?: boolean;
  /** May be broken over lines. */
  readonly wraps?: boolean;
}

export interface Table {
  /** Unique in the report, kebab-case. */
  readonly id: string;
  readonly title: string;
  /** What the figures are; empty when the title says it. */
  readonly caption: string;
  readonly columns: readonly TableColumn[];
  readonly rows: readonly (readonly string[])[];
  /** In place of a table without rows. */
  readonly absent: string;
}
