/**
 * The identity of an `occam run --no-cache` that has not ended: kept in DIR/store, so that the same command after Ctrl-C goes
 * on with the same sweep instead of beginning anew. Forgotten when the sweep ends.
 */
import { randomUUID } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sha256Hex } from "../../core/canonical-json.ts";

const fileIn = (outDir: string): string => join(outDir, "store", "no-cache.json");

interface Kept {
  readonly spec: string;
  readonly requestId: string;
}

export function requestIdFor(outDir: string, canonicalSpec: string): string {
  const spec = sha256Hex(canonicalSpec);
  const kept = read(outDir);
  if (kept?.spec === spec) return kept.requestId;
  const requestId = randomUUID();
  writeFileSync(fileIn(outDir), JSON.stringify({ spec, requestId } satisfies Kept));
  return requestId;
}

export function forgetRequest(outDir: string): void {
  rmSync(fileIn(outDir), { force: true });
}

function read(outDir: string): Kept | undefined {
  try {
    const kept = JSON.parse(readFileSync(fileIn(outDir), "utf8")) as Partial<Kept>;
    return typeof kept.spec === "string" && typeof kept.requestId === "string" ? (kept as Kept) : undefined;
  } catch {
    // No file, or half of one: a new request.
    return undefined;
  }
}
