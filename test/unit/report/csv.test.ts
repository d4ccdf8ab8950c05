import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvLine, csvLines } from "../../../src/report/csv.ts";
import { columnsOf } from "../../../src/result/row.ts";
import { AXES, syntheticRows } from "./synthetic-sweep.ts";

/** A reader of RFC 4180, written from its grammar: fields with whether they were quoted. */
function parse(text: string): { text: string; quoted: boolean }[][] {
  const records: { text: string; quoted: boolean }[][] = [];
  let at = 0;
  while (at < text.length) {
    const record: { text: string; quoted: boolean }[] = [];
    for (;;) {
      const quoted = text[at] === '"';
      let field = "";
      if (quoted) {
        at += 1;
        while (text[at] !== '"' || text[at + 1] === '"') {
          if (at >= text.length) throw new Error("a quoted field does not end");
          field += text[at];
          at += text[at] === '"' ? 2 : 1;
        }
        at += 1;
      } else {
        while (at < text.length && !',\r\n"'.includes(text[at]!)) field += text[at++];
      }
      record.push({ text: field, quoted });
      if (text[at] === ",") at += 1;
      else break;
    }
    if (text.slice(at, at + 2) !== "\r\n") throw new Error(`no line end at ${at}`);
    at += 2;
    records.push(record);
  }
  return records;
}

describe("CSV", () => {
  it("reads back as the same texts, whatever they hold", () => {
    const field = fc.oneof(fc.string({ maxLength: 40, size: "max" }), fc.stringMatching(/^[",\r\n a]{0,12}$/));
    fc.assert(
      fc.property(fc.array(field, { minLength: 1, maxLength: 6 }), (fields) => {
        expect(parse(csvLine(fields))).toEqual([
          fields.map((text) => ({ text, quoted: expect.any(Boolean) as boolean })),
        ]);
      }),
    );
  });

  it("reads back as the same double, in the shortest text", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const field = parse(csvLine([value]))[0]![0]!;
        expect(Number(field.text)).toBe(value === 0 ? 0 : value);
        expect(field.text.length).toBeLessThanOrEqual(25);
      }),
    );
    expect(csvLine([0.1, 1e-7, 1e21, 12345678])).toBe("0.1,1e-7,1e+21,12345678\r\n");
  });

  it("tells an empty text from no value", () => {
    expect(csvLine([null, "", false])).toBe(',"",false\r\n');
  });

  it("quotes commas, quotes and line breaks", () => {
    expect(csvLine(["a,b", 'say "x"', "one\ntwo"])).toBe('"a,b","say ""x""","one\ntwo"\r\n');
  });

  it("has a header and a record of every column for each row", () => {
    const rows = syntheticRows();
    const columns = columnsOf(
      rows,
      AXES.map(({ path }) => path),
    );
    const records = parse([...csvLines(columns, rows)].join(""));
    expect(records).toHaveLength(rows.length + 1);
    expect(records[0]!.map(({ text }) => text)).toEqual(columns.map(({ name }) => name));
    expect(new Set(records.map((record) => record.length))).toEqual(new Set([columns.length]));
    const lambda = columns.findIndex(({ name }) => name === "lambda_hat");
    expect(Number(records[1]![lambda]!.text)).toBe(rows[0]!.result!.estimate!.lambdaHat);
  });
});
