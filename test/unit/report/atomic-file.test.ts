import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { replaceFile, replaceText } from "../../../src/report/atomic-file.ts";
import { writeJsonLines } from "../../../src/report/json-lines.ts";
import { temporaryFolder } from "./temporary-folder.ts";

it("a write that fails leaves the old file and nothing else", async () => {
  const folder = await temporaryFolder();
  const path = join(folder, "results.csv");
  await writeFile(path, "old");
  const failing = replaceFile(path, async (file) => {
    await file.appendFile("half of the ne");
    throw new Error("no space");
  });
  await expect(failing).rejects.toThrow("no space");
  expect(await readdir(folder)).toEqual(["results.csv"]);
  expect(await readFile(path, "utf8")).toBe("old");
});

it("the old file stands until the new one is whole", async () => {
  const path = join(await temporaryFolder(), "report.md");
  await writeFile(path, "old");
  await replaceText(
    path,
    (async function* () {
      yield "x".repeat(3 << 20);
      expect(await readFile(path, "utf8")).toBe("old");
      yield "end";
    })(),
  );
  expect((await readFile(path, "utf8")).length).toBe((3 << 20) + 3);
});

it("JSON lines hold one object each, with integers beyond 2^53 as text", async () => {
  const path = join(await temporaryFolder(), "logs.jsonl");
  await writeJsonLines(path, [
    { message: "a\nb", time_ms: 12n },
    { token: 2n ** 60n, loss: Number.NaN },
  ]);
  const lines = (await readFile(path, "utf8")).split("\n");
  expect(lines.pop()).toBe("");
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { message: "a\nb", time_ms: 12 },
    { token: "1152921504606846976", loss: null },
  ]);
});
