/** Sweep files that mean harm, or that somebody's editor has mangled: each ends in a sweep or in "bad-spec", and soon. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MOST_FINDINGS } from "../../../src/spec/problem.ts";
import { SPEC_LIMIT_BYTES } from "../../../src/spec/spec-limit.ts";
import { parseSweep } from "../../../src/spec/sweep.ts";

const HEAD = `version: 1
name: x
data: { kind: moons, train: 32, test: 16 }
`;
const GOOD = `${HEAD}grid:
  architecture: { kind: mlp, depth: 1 }
  optimizer:
    - { kind: sgd, learningRate: { values: [0.01, 0.1] } }
  regulariser: none
  scale: { width: [4, 8] }
  seed: { replicates: 3 }
where: "scale.width > 4 && optimizer.kind == 'sgd'"
train: { steps: 10, batch: 8 }
`;
const where = (condition: string): string => GOOD.replace(/where: .*/u, () => `where: ${JSON.stringify(condition)}`);

/** As much of it as a file may have. */
const filled = (before: string, part: string, after = ""): string =>
  before + part.repeat(Math.floor((SPEC_LIMIT_BYTES - before.length - after.length) / part.length)) + after;

const BOMBS: Readonly<Record<string, string>> = {
  "brackets that open": filled("a: ", "["),
  "mappings that open": filled("a: ", "{a: "),
  "blocks that nest": Array.from({ length: 350 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
  "dashes in a row": filled("", "- "),
  "question marks in a row": filled("", "? "),
  "anchors in a row": filled("", "&a "),
  "aliases of one anchor": filled("a: &a [1]\nb: [", "*a,", "]"),
  "aliases after a long list": `${filled("x: [", "1,").slice(0, SPEC_LIMIT_BYTES / 2)}]\na: &a [1]\nb: [${"*a,".repeat(9_000)}]`,
  "aliases of aliases": `a: &a [1,1,1,1,1,1,1,1,1,1]\n${"bcdefghij"
    .split("")
    .map((name, at) => `${name}: &${name} [${Array.from({ length: 10 }, () => `*${"abcdefghij"[at]}`).join(",")}]`)
    .join("\n")}`,
  "merges of one anchor": filled("a: &a {x: 1}\nb: {", "<<: *a, ", "}"),
  "a key again and again": filled("", "a: 1\n"),
  "keys that nobody knows": Array.from({ length: 6_000 }, (_, index) => `k${index}: 1`).join("\n"),
  "nothing but colons": filled("", ":"),
  "nothing but quotes": filled("", '"'),
  "nothing but commas": filled("[", ",", "]"),
  "nothing but tags": filled("", "!"),
  "a list that is no value": filled("version: [", "1,", "]"),
  "parentheses in a condition": where("(".repeat(20_000)),
  "a condition without end": where(`${"1+".repeat(20_000)}1 == 2`),
  "negations in a condition": where(`${"!".repeat(20_000)}true`),
  "a regular expression that backtracks": where(`'${"a".repeat(40)}!'.matches('^(a+)+$')`),
  "lists within lists in a condition": where(
    `[${"1,".repeat(200)}1].all(a, [${"1,".repeat(200)}1].all(b, [${"1,".repeat(200)}1].all(c, a + b + c > 0)))`,
  ),
  "a range of a thousand million values": GOOD.replace("[4, 8]", "{ linear: [1, 1000000, 1000000000] }"),
  "a million million replicates": GOOD.replace("replicates: 3", "replicates: 999999999999"),
  "a file above the limit": `${GOOD}# ${"x".repeat(SPEC_LIMIT_BYTES)}`,
};

function outcome(text: string): string {
  try {
    const spec = parseSweep(text, "x.yaml");
    if (spec.gridSize > 0) spec.at(0);
    return "sweep";
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    expect(message.length).toBeLessThan(MOST_FINDINGS * 1_500);
    return code ?? `no code: ${message}`;
  }
}

describe("a hostile sweep file", () => {
  it("that is none: the file that the others are made of is good", () => {
    expect(outcome(GOOD)).toBe("sweep");
    expect(outcome(where("[4, 8].exists(w, [1, 2].all(k, k * w <= scale.width * 2))"))).toBe("sweep");
  });

  it.each(Object.entries(BOMBS))("of %s is refused", (_name, text) => {
    expect(outcome(text)).toBe("bad-spec");
  });

  it("of any text is a sweep or a list of mistakes", () => {
    fc.assert(
      fc.property(fc.string({ size: "max", maxLength: 5_000, unit: "binary" }), (text) => {
        expect(["sweep", "bad-spec"]).toContain(outcome(text));
      }),
      { numRuns: 200 },
    );
  }, 120_000);

  it("of a good one with parts cut out, doubled, or replaced is a sweep or a list of mistakes", () => {
    const spice = fc.constantFrom(
      "[",
      "]",
      "{",
      "}",
      ":",
      "- ",
      "&a ",
      "*a",
      "!!js/function ",
      "null",
      "~",
      "\t",
      "\0",
      "9e999",
      "-1",
      "<<: ",
      "'",
      '"',
      "|",
      ">",
      "?",
      "\u2028",
      ".nan",
    );
    const edit = fc.record({
      at: fc.nat(GOOD.length),
      cut: fc.nat(40),
      put: fc.oneof(spice, fc.string({ maxLength: 8 })),
      times: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 12, size: "max" }), (edits) => {
        const text = edits.reduce(
          (now, { at, cut, put, times }) => now.slice(0, at) + put.repeat(times) + now.slice(at + cut),
          GOOD,
        );
        expect(["sweep", "bad-spec"]).toContain(outcome(text));
      }),
      { numRuns: 500 },
    );
  }, 120_000);
});

describe("aliases", () => {
  it("mean the last anchor of their name before them", () => {
    const widths = (text: string): unknown => {
      const spec = parseSweep(text, "x.yaml");
      return [
        ...new Set(Array.from({ length: spec.gridSize }, (_, at) => spec.at(at)?.cell.config.architecture["width"])),
      ];
    };
    const seeds = "seed: { replicates: 1 }\n";
    const text = GOOD.replace("  seed: { replicates: 3 }\n", "")
      .replace(/where: .*\n/u, "")
      .replace("width: [4, 8]", "width: *w");
    expect(
      widths(text.replace("grid:", `description: &w "no list"\n${seeds}grid:`).replace("depth: 1", "depth: &w 1")),
    ).toEqual([1]);
    expect(() => parseSweep(text, "x.yaml")).toThrow(/alias \*w has no anchor before it/u);
  });
});
