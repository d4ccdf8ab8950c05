/** report.md: the tables of the report, and a list of its plots, which stand in report.html beside it. */
import type { ReportDocument, Section } from "./document.ts";
import { escapeHtml } from "./html-text.ts";
import type { Table } from "./table.ts";

/** Pieces of the file, in order. */
export function* markdownOf(report: ReportDocument): Generator<string> {
  yield `# ${escapeMarkdown(report.title)}\n\n${escapeMarkdown(report.lede)}\n\n`;
  yield `${report.headlines.map(({ name, value }) => `- ${escapeMarkdown(name)}: **${escapeMarkdown(value)}**`).join("\n")}\n`;
  for (const section of report.sections) yield* sectionMarkdown(section);
}

function* sectionMarkdown({ title, intro, figures, tables }: Section): Generator<string> {
  yield `\n## ${escapeMarkdown(title)}\n`;
  if (intro !== "") yield `\n${escapeMarkdown(intro)}\n`;
  if (figures.length > 0) {
    yield "\nPlots in `report.html`:\n\n";
    for (const figure of figures) {
      const what = "absent" in figure ? figure.absent : figure.caption;
      yield `- [${escapeMarkdown(figure.title)}](report.html#${figure.id}): ${escapeMarkdown(what)}\n`;
    }
  }
  for (const table of tables) yield tableMarkdown(table);
}

function tableMarkdown({ title, caption, columns, rows, absent }: Table): string {
  const head = `\n### ${escapeMarkdown(title)}\n`;
  if (rows.length === 0) return `${head}\n${escapeMarkdown(absent)}\n`;
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(" | ")} |\n`;
  const rule = columns.map(({ numeric }) => (numeric === true ? "--:" : "---")).join(" | ");
  const note = caption === "" ? "" : `\n${escapeMarkdown(caption)}\n`;
  return `${head}${note}\n${line(columns.map(({ title }) => title))}| ${rule} |\n${rows.map(line).join("")}`;
}

/** Text as itself: HTML and Markdown's own marks escaped, line ends as spaces. */
export function escapeMarkdown(text: string): string {
  const oneLine = text.replaceAll(/\s*[\r\n]+\s*/g, " ");
  return escapeHtml(oneLine.replaceAll(/[\\`*_[\]|#~]/g, String.raw`\$&`))
    .replaceAll("&#39;", "'")
    .replaceAll("&quot;", '"');
}
