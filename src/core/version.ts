/** What this build is. */
import { readFileSync } from "node:fs";

/**
 * Bumped when the numbers of a cell may change for the same spec: it is part of every cell id, so that a result of older
 * numerics is never taken for one of today's.
 */
export const NUMERICS_VERSION = 4;

/** Version of the wire between coordinator, workers and CLI. */
export const PROTOCOL_VERSION = 1;

/** The version in package.json. */
export const PACKAGE_VERSION: string = readPackageVersion();

function readPackageVersion(): string {
  // From src/core in the sources, from dist/src/core in a build.
  for (const path of ["../../package.json", "../../../package.json"]) {
    try {
      const manifest = JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as { version?: string };
      if (manifest.version !== undefined) return manifest.version;
    } catch {
      // The next place.
    }
  }
  return "0.0.0";
}
