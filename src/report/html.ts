/**
 * report.html: one file that opens from disk.
 *
 * Invariants:
 * 1. It runs no script and asks the network for nothing; its own content policy forbids both.
 * 2. Every text from outside (names, reasons, specs) goes through `escapeHtml`.
 * 3. A figure's Vega-Lite spec, with its data, is the link below it: a data URL that any Vega editor reads.
 */
import type { Headline, ReportDocument, Section } from "./document.ts";
import type { Absent, Figure } from "./figure.ts";
import { escapeHtml } from "./html-text.ts";
import { STYLE_SHEET } from "./style-sheet.ts";
import type { Table, TableColumn } from "./table.ts";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** Pieces of the page, in order. */
export function* htmlOf(report: ReportDocument): Generator<string> {
  const title = escapeHtml(report.title);
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="generator" content="Occam">
<title>${title} · Occam report</title>
<style>${STYLE_SHEET}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p class="quiet">${escapeHtml(report.lede)}</p>
<dl class="headlines">${report.headlines.map(headlineHtml).join("")}</dl>
`;
  for (const section of report.sections) yield* sectionHtml(section);
  const { title: name, text, isOpen } = report.appendix;
  yield `<details${isOpen ? " open" : ""}><summary>${escapeHtml(name)}</summary><pre>${escapeHtml(text)}</pre></details>
</main>
</body>
</html>
`;
}

function headlineHtml({ name, value }: Headline): string {
  return `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`;
}

function* sectionHtml({ id, title, intro, figures, tables }: Section): Generator<string> {
  yield `<section id="${escapeHtml(id)}">\n<h2>${escapeHtml(title)}</h2>\n`;
  if (intro !== "") yield `<p class="quiet">${escapeHtml(intro)}</p>\n`;
  if (figures.length > 0) {
    yield `<div class="figures">\n`;
    for (const figure of figures) yield figureHtml(figure);
    yield `</div>\n`;
  }
  for (const table of tables) yield tableHtml(table);
  yield `</section>\n`;
}

function figureHtml(figure: Figure | Absent): string {
  const id = escapeHtml(figure.id);
  if ("absent" in figure) {
    return `<figure id="${id}" class="absent"><strong>${escapeHtml(figure.title)}</strong>${escapeHtml(figure.absent)}</figure>\n`;
  }
  const link = `<a download="${id}.vl.json" href="${specUrl(figure)}">Vega-Lite spec and data</a>`;
  return `<figure id="${id}"><div class="plot">${figure.svg}</div><figcaption>${link}</figcaption></figure>\n`;
}

/** Base64: percent-encoded JSON is nearly twice as long. */
function specUrl({ spec }: Figure): string {
  return `data:application/json;base64,${Buffer.from(JSON.stringify(spec)).toString("base64")}`;
}

function tableHtml({ id, title, caption, columns, rows, absent }: Table): string {
  const name = escapeHtml(title);
  const note = caption === "" ? "" : `<p class="quiet small">${escapeHtml(caption)}</p>\n`;
  if (rows.length === 0) return `<h3 id="${escapeHtml(id)}">${name}</h3>\n<p class="quiet">${escapeHtml(absent)}</p>\n`;
  const head = columns.some((column) => column.title !== "")
    ? `<thead><tr>${columns.map((column) => `<th scope="col"${classOf(column)}>${escapeHtml(column.title)}</th>`).join("")}</tr></thead>`
    : "";
  const body = rows
    .map(
      (row) =>
        `<tr>${row.map((text, at) => `<td${classOf(columns[at]!, text)}>${escapeHtml(text)}</td>`).join("")}</tr>`,
    )
    .join("\n");
  return `<h3 id="${escapeHtml(id)}">${name}</h3>
${note}<div class="scroll" role="region" aria-label="${name}" tabindex="0"><table>${head}<tbody>
${body}
</tbody></table></div>
`;
}

function classOf({ numeric, wraps }: TableColumn, text = ""): string {
  const classes = [numeric === true ? "number" : "", wraps === true ? "wraps" : "", text.endsWith("!)") ? "bad" : ""];
  const used = classes.filter((name) => name !== "").join(" ");
  return used === "" ? "" : ` class="${used}"`;
}
