import { describe, expect, it } from "vitest";
import { fit, formatDuration, formatFigure, printable } from "../../../src/cli/output/format.ts";
import { renderTable } from "../../../src/cli/output/table.ts";
import { parseSince } from "../../../src/cli/since.ts";
import { OccamError } from "../../../src/core/errors.ts";

describe("text of the command line", () => {
  it("writes durations in two units", () => {
    expect(
      [0, 999, 1000, 59_949, 60_000, 185_400, 3_599_600, 7_620_000, 4 * 86_400_000 + 3 * 3_600_000].map(formatDuration),
    ).toEqual(["0 ms", "999 ms", "1.0 s", "59.9 s", "1m 00s", "3m 05s", "1h 00m", "2h 07m", "4d 03h"]);
  });

  it("writes figures with four digits", () => {
    expect([0.031_23, 12.3456, 100, 1e9, Number.NaN].map(formatFigure)).toEqual([
      "0.03123",
      "12.35",
      "100",
      "1000000000",
      "NaN",
    ]);
  });

  it("cuts with a mark, by letters and not by code units", () => {
    expect(fit("abcdef", 6)).toBe("abcdef");
    expect(fit("abcdefg", 6)).toBe("abc...");
    expect(fit("\u{1d6cc}\u{1d6cc}", 2)).toBe("\u{1d6cc}\u{1d6cc}");
    expect(printable("a\u001b[31mb\nc")).toBe("a [31mb c");
  });

  it("lays a table out in columns, and as records where it does not fit", () => {
    const columns = [{ title: "cell" }, { title: "lambda", align: "right" as const }];
    const rows = [
      ["a", "1"],
      ["long-name", "12.5"],
    ];
    expect(renderTable(columns, rows)).toEqual(["cell       lambda", "a               1", "long-name    12.5"]);
    expect(renderTable(columns, rows, 16)).toEqual(["cell    a", "lambda  1", "", "cell    long-...", "lambda  12.5"]);
  });

  it("reads ages and times, and refuses the rest", () => {
    const nowMs = 10 * 86_400_000;
    expect(parseSince("90s", nowMs)).toBe(nowMs - 90_000);
    expect(parseSince("1.5h", nowMs)).toBe(nowMs - 5_400_000);
    expect(parseSince("3d", nowMs)).toBe(nowMs - 3 * 86_400_000);
    expect(parseSince("2026-11-22T21:00:00Z", nowMs)).toBe(Date.UTC(2026, 10, 22, 21));
    for (const text of ["", "10", "10 parsecs", "yesterday", "2026-99-99"]) {
      expect(() => parseSince(text, nowMs), text).toThrow(OccamError);
    }
  });
});
