/** A sweep file, read and checked before anything is asked of a coordinator. */
import { readFile } from "node:fs/promises";
import { messageOf, OccamError } from "../core/errors.ts";

import { parseSweep, type SweepSpec } from "../spec/sweep.ts";
import type { Io } from "./io.ts";
import { pathIn } from "./token.ts";

export interface SpecFile {
  readonly text: string;
  /** As the user gave it, for messages. */
  readonly fileName: string;
  readonly spec: SweepSpec;
}

export async function readSpec(path: string, io: Io): Promise<SpecFile> {
  let text: string;
  try {
    text = await readFile(pathIn(io.cwd, path), "utf8");
  } catch (cause) {
    throw new OccamError("bad-usage", `the sweep file cannot be read: ${messageOf(cause)}`, { where: path, cause });
  }
  return { text, fileName: path, spec: parseSweep(text, path) };
}
