/** The report in a real browser, opened from disk: it shows its plots, asks the network for nothing, and fits its window. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, type Browser, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeReport } from "../../src/report/write-report.ts";
import { estimatedInput, estimatedRows } from "../unit/report/estimated-sweep.ts";
import { syntheticInput } from "../unit/report/synthetic-sweep.ts";

const CHROMIUM = process.env["OCCAM_TEST_CHROMIUM"] ?? "/usr/bin/chromium";

/** Without these a browser in a closed network asks for its updates, many times a second. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

interface Visit {
  readonly page: Page;
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
}

describe.skipIf(!existsSync(CHROMIUM))(`report.html in Chromium (skipped where ${CHROMIUM} is not installed)`, () => {
  let folder: string;
  let url: string;
  let browser: Browser;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "occam-report-"));
    await writeReport(folder, syntheticInput());
    url = pathToFileURL(join(folder, "report.html")).href;
    browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
  });

  afterAll(async () => {
    await browser?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function visit(
    width: number,
    colorScheme: "light" | "dark" = "light",
    javaScriptEnabled = true,
    address = url,
  ): Promise<Visit> {
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, javaScriptEnabled });
    const page = await context.newPage();
    const requests: string[] = [];
    const complaints: string[] = [];
    page.on("request", (request) => requests.push(request.url()));
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(address, { waitUntil: "load" });
    return { page, requests, complaints };
  }

  it("opens from disk with no complaint and no request but the file itself", async () => {
    const { page, requests, complaints } = await visit(1280);
    expect(requests).toEqual([url]);
    expect(complaints).toEqual([]);
    expect(await page.title()).toBe("regularisers-on-digits · Occam report");
    await page.context().close();
  });

  it.each([360, 1280])("fits a window of %i pixels: plots are seen and nothing overflows", async (width) => {
    const { page } = await visit(width);
    const [scrolled, client] = await page.evaluate<[number, number]>(
      "[document.documentElement.scrollWidth, document.documentElement.clientWidth]",
    );
    expect(client).toBe(width);
    expect(scrolled).toBeLessThanOrEqual(width);
    const plots = page.locator("figure .plot svg");
    const count = await plots.count();
    expect(count).toBeGreaterThan(14);
    for (const plot of await plots.all()) {
      const box = await plot.boundingBox();
      expect(box?.width).toBeGreaterThan(250);
      expect(box?.height).toBeGreaterThan(150);
      expect((box?.x ?? -1) + (box?.width ?? Infinity)).toBeLessThanOrEqual(width);
      expect(await plot.isVisible()).toBe(true);
    }
    await page.context().close();
  });

  it("keeps the text of plots readable on a phone", async () => {
    const { page } = await visit(360);
    const heights = await page.evaluate<number[]>(
      `[...document.querySelectorAll(".role-axis-label text")].map((text) => text.getBoundingClientRect()).map((box) => Math.min(box.width, box.height) > 0 ? box.height : 0)`,
    );
    expect(heights.length).toBeGreaterThan(100);
    // 11 px drawn at the scale of a 360 px window.
    expect(Math.min(...heights)).toBeGreaterThan(8);
    await page.context().close();
  });

  it("is the same with scripts switched off", async () => {
    const { page } = await visit(1280, "light", false);
    expect(await page.locator("figure .plot svg").count()).toBeGreaterThan(14);
    expect(await page.locator("h1").innerText()).toBe("regularisers-on-digits");
    await page.context().close();
  });

  it("turns dark with the system, plots included", async () => {
    const colours = async (scheme: "light" | "dark"): Promise<readonly string[]> => {
      const { page } = await visit(1280, scheme);
      const of = (selector: string, property: string): Promise<string> =>
        page.evaluate(`getComputedStyle(document.querySelector(${JSON.stringify(selector)})).${property}`);
      const found = [
        await of("body", "backgroundColor"),
        await of(".role-title-text text", "fill"),
        await of(".cells_marks path", "fill"),
      ];
      await page.context().close();
      return found;
    };
    expect(await colours("light")).toEqual(["rgb(255, 255, 255)", "rgb(27, 31, 36)", "rgb(0, 114, 178)"]);
    expect(await colours("dark")).toEqual(["rgb(13, 17, 23)", "rgb(230, 237, 243)", "rgb(74, 168, 232)"]);
  });

  it("gives out the spec of a plot as a file", async () => {
    const { page } = await visit(1280);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator("#lambda-by-scale-width figcaption a").click(),
    ]);
    expect(download.suggestedFilename()).toBe("lambda-by-scale-width.vl.json");
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    const spec = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { readonly title: { readonly text: string } };
    expect(spec.title.text).toBe("λ̂ by scale.width");
    await page.context().close();
  });

  it.each([360, 1280])(
    "shows curves, behavioural estimates and known truth in a window of %i pixels",
    async (width) => {
      const rows = estimatedRows().filter((_, index, all) => index % 24 === 0 || index >= all.length - 3);
      const own = join(folder, `estimates-${width}`);
      await writeReport(own, estimatedInput(rows));
      const address = pathToFileURL(join(own, "report.html")).href;
      const { page, requests, complaints } = await visit(width, "light", true, address);
      expect([requests, complaints]).toEqual([[address], []]);
      const ids = ["lambda-over-t", "lambda-over-gamma", "lambda-b-against-lambda", "lambda-against-truth"];
      for (const id of [...ids, "lambda-b-by-scale-width"]) {
        const plot = page.locator(`#${id} .plot svg`);
        expect(await plot.isVisible(), id).toBe(true);
        const box = await plot.boundingBox();
        expect((box?.x ?? -1) + (box?.width ?? Infinity), id).toBeLessThanOrEqual(width);
        // Marks are inside of the picture, and each has some pixels.
        const sizes = await plot
          .locator(".cells_marks path")
          .evaluateAll((marks) =>
            marks.map((mark) => (mark as unknown as { getBBox(): { width: number } }).getBBox().width),
          );
        expect(sizes.length, id).toBeGreaterThan(2);
        expect(Math.min(...sizes), id).toBeGreaterThan(2);
      }
      expect(await page.locator("#truth + .quiet + .scroll tbody tr").count()).toBe(3);
      await page.context().close();
    },
  );

  it("prints every plot", async () => {
    const { page } = await visit(1280);
    const pdf = await page.pdf({ format: "A4" });
    const pages = pdf.toString("latin1").match(/\/Type\s*\/Page\b/g)?.length ?? 0;
    expect(pages).toBeGreaterThan(3);
    await page.emulateMedia({ media: "print" });
    for (const plot of await page.locator("figure .plot svg").all()) expect(await plot.isVisible()).toBe(true);
    await page.context().close();
  });
});
