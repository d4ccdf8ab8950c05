import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { render, type Plot, type VegaLite } from "../../../src/report/figure.ts";
import { escapeMarkdown } from "../../../src/report/markdown.ts";
import { REPORT_FILES, writeLogs, writeReport, type ReportInput } from "../../../src/report/write-report.ts";
import { rowOf, type ResultRow } from "../../../src/result/row.ts";
import {
  PROVENANCE,
  designs,
  recordOf,
  resultOf,
  syntheticInput,
  syntheticRows,
  syntheticSeries,
} from "./synthetic-sweep.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const FILES = ["metrics.parquet", "report.html", "report.md", "results.csv", "results.parquet"];

/** Name and SHA-256 of each file. */
async function filesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  const hash = async (name: string): Promise<string> =>
    createHash("sha256")
      .update(await readFile(join(folder, name)))
      .digest("hex");
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await hash(name)] as const)));
}

async function written(input: ReportInput): Promise<{ html: string; markdown: string }> {
  const folder = await temporaryFolder();
  await writeReport(folder, input);
  const text = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  return { html: await text(REPORT_FILES.html), markdown: await text(REPORT_FILES.markdown) };
}

/** A small part of the synthetic sweep, with both kinds of data, all kinds of verdict and cells without a result. */
const few = (): readonly ResultRow[] => syntheticRows().filter((_, index) => index % 16 === 11 || index === 92);

/** Its report, made once for all tests that read it. */
const ofFew = once(() => written(syntheticInput(few())));

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

describe("a report", () => {
  it("is the five files of the issue, and a second run writes the same bytes", async () => {
    const folder = join(await temporaryFolder(), "out", "digits");
    await writeReport(folder, syntheticInput(few()));
    const first = await filesOf(folder);
    expect(Object.keys(first)).toEqual(FILES);
    await writeReport(folder, syntheticInput(few()));
    expect(await filesOf(folder)).toEqual(first);
  });

  it("does not depend on the order of the rows, nor its CSV on times and workers but in the columns that vary", async () => {
    const folder = await temporaryFolder();
    const rows = few();
    const again = rows.toReversed().map((row): ResultRow => {
      const { result } = row;
      if (result === undefined) return { ...row, workerId: "another" };
      const timing = { trainMs: 1, estimateMs: 1, wallMs: 1 };
      return { ...row, workerId: "another", result: { ...result, timing, backend: "tensorflow", fuseWidth: 1 } };
    });
    await writeReport(join(folder, "a"), syntheticInput(rows));
    await writeReport(join(folder, "b"), syntheticInput(again));
    const table = async (name: string): Promise<string[][]> =>
      (await readFile(join(folder, name, "results.csv"), "utf8"))
        .split("\r\n")
        .map((line) => line.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/));
    const [left, right] = [await table("a"), await table("b")];
    const varying = new Set(["wall_ms", "compute_ms", "train_ms", "estimate_ms", "worker", "backend", "fuse_width"]);
    const kept = left[0]!.map((name, at) => (varying.has(name) ? -1 : at)).filter((at) => at >= 0);
    const strip = (lines: string[][]): string[][] => lines.map((fields) => kept.map((at) => fields[at] ?? ""));
    expect(strip(right)).toEqual(strip(left));
    expect(right).not.toEqual(left);
  });

  it("reads the series once, to their end", async () => {
    const rows = few();
    let reads = 0;
    let ended = false;
    const series = {
      async *[Symbol.asyncIterator]() {
        reads += 1;
        yield* syntheticSeries(rows);
        ended = true;
      },
    };
    await writeReport(await temporaryFolder(), { ...syntheticInput(rows), series });
    expect([reads, ended]).toEqual([1, true]);
  });

  it("says in sentences what it cannot show of a sweep in which nothing has run", async () => {
    const rows = designs()
      .slice(0, 4)
      .map((design, index) => rowOf(recordOf(design, index, { state: "pending", result: undefined, workerId: "" })));
    const provenance = { ...PROVENANCE, finishedMs: null, gitRevision: null };
    const { html, markdown } = await written({ ...syntheticInput(rows), series: [], provenance });
    expect(html).toContain("No cell on this axis has an estimate.");
    expect(html).toContain("not finished yet");
    expect(markdown).toContain("| pending |");
    for (const text of [html, markdown]) expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });

  it("can be made of no cells at all", async () => {
    const { html } = await written({ ...syntheticInput([]), series: [] });
    expect(html).toContain("The sweep has no cells.");
  });
});

describe("report.html", () => {
  const hostile = `<script>alert(1)</script><img src=x onerror=alert(2)>"'&`;
  const hostileInput = (): ReportInput => {
    const rows = designs()
      .slice(0, 6)
      .map((design, index) => {
        const point = { "data.kind": index % 2 === 0 ? hostile : "digits", "scale.width": design.width };
        const estimate = { ...resultOf(design, "biased").estimate!, verdictReason: hostile };
        const config = { ...recordOf(design, index).config, data: { kind: index % 2 === 0 ? hostile : "digits" } };
        const result = { ...resultOf(design), estimate };
        return rowOf(
          index === 5
            ? recordOf(design, index, { point, config, state: "quarantined", reason: hostile, result: undefined })
            : recordOf(design, index, { point, config, result, workerId: hostile }),
        );
      });
    const axes = [{ path: "data.kind" }, { path: "scale.width" }];
    const provenance = { ...PROVENANCE, specText: hostile, specFile: hostile, sweepId: hostile, gitRevision: hostile };
    return { name: hostile, axes, rows, series: syntheticSeries(rows), provenance };
  };

  it("runs no script and refers to nothing outside itself, whatever names and reasons hold", async () => {
    const { html } = await written(hostileInput());
    const tags = [...html.matchAll(/<([a-zA-Z!/][^\s>]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*\/?>/g)];
    const names = new Set(tags.map(([, name]) => name!.toLowerCase()));
    for (const name of ["script", "img", "link", "iframe", "object", "embed", "use", "image", "foreignobject"])
      expect(names).not.toContain(name);
    const attributes = tags.flatMap(([, , text]) => [...text!.matchAll(/([\w:-]+)="([^"]*)"/g)]);
    expect(attributes.filter(([, name]) => /^on/i.test(name!))).toEqual([]);
    const references = attributes.filter(([, name]) =>
      ["href", "src", "srcset", "xlink:href", "action", "data"].includes(name!.toLowerCase()),
    );
    expect(references.length).toBeGreaterThan(5);
    for (const [, name, value] of references)
      expect(`${name} ${value!.slice(0, 29)}`).toBe("href data:application/json;base64,");
    // No text of the input stands in the page as markup.
    expect(html).not.toContain("<script");
    expect(html).not.toContain("<img");
    expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    expect(html).not.toMatch(/@import|url\(/);
  });

  it("forbids scripts and loads by its own content policy", async () => {
    const { html } = await ofFew();
    expect(html).toContain(
      `http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';`,
    );
  });

  it("carries each plot's Vega-Lite spec, which renders to the same picture", async () => {
    const { html } = await ofFew();
    const figures = [
      ...html.matchAll(
        /<figure id="([^"]+)"><div class="plot">(<svg.*?<\/svg>)<\/div>.*?href="data:application\/json;base64,([^"]+)"/gs,
      ),
    ];
    expect(figures.length).toBeGreaterThan(12);
    const [, id, svg, data] = figures[2]!;
    const spec = JSON.parse(Buffer.from(data!, "base64").toString("utf8")) as VegaLite & {
      readonly title: { readonly text: string; readonly subtitle: string[] };
    };
    expect(spec["$schema"]).toBe("https://vega.github.io/schema/vega-lite/v6.json");
    const plot: Plot = { id: id!, title: spec.title.text, caption: spec.title.subtitle.join(" "), spec };
    expect((await render(plot)).svg).toBe(svg);
  });

  it("shows no lambda-hat without its verdict", async () => {
    const rows = few();
    const { html, markdown } = await ofFew();
    const estimates = [...html.matchAll(/<td[^>]*>([^<]*±[^<]*)<\/td>/g)].map(([, text]) => text!);
    expect(estimates.length).toBeGreaterThan(10);
    for (const text of estimates) expect(text).toMatch(/^-?[\d.e-]+ ± [\d.e-]+ \((ok|[a-z-]+!)\)$/);
    const bad = rows.filter(({ result }) => (result?.estimate?.verdict ?? "ok") !== "ok");
    expect(bad.length).toBeGreaterThan(2);
    expect(markdown.split("### Estimates with a bad verdict")[1]!.match(/!\)/g)).toHaveLength(bad.length);
  });
});

describe("report.md", () => {
  it("holds the tables with as many cells in each line as in the head", async () => {
    const { markdown } = await ofFew();
    const tables = markdown.split(/\n\n/).filter((block) => block.startsWith("|"));
    expect(tables.length).toBeGreaterThan(8);
    for (const table of tables) {
      const counts = table
        .trim()
        .split("\n")
        .map((line) => line.split(/(?<!\\)\|/).length);
      expect(new Set(counts).size, table).toBe(1);
    }
  });

  it("takes texts as they are: no markup, no table borders, no line breaks", () => {
    expect(escapeMarkdown("a|b *c* <b>\n\n[d](e) `f`")).toBe(String.raw`a\|b \*c\* &lt;b&gt; \[d\](e) \`f\``);
  });
});

it("logs.jsonl holds the entries in the order given", async () => {
  const folder = join(await temporaryFolder(), "out");
  await writeLogs(folder, [
    { level: "info", message: "a" },
    { level: "warn", message: "b" },
  ]);
  expect(await readFile(join(folder, REPORT_FILES.logs), "utf8")).toBe(
    '{"level":"info","message":"a"}\n{"level":"warn","message":"b"}\n',
  );
});
