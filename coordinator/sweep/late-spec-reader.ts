/** Sweep files, read by modules (the YAML parser, the schemas of the catalogue, CEL) that a start does not wait for. */
import { lazy } from "../../src/core/lazy.ts";
import type { SpecReader } from "./spec-reader.ts";

/** Loads what reads sweep files, so that the first submission need not. */
export const loadSpecReader = lazy(async (): Promise<SpecReader> => (await import("./read-spec.ts")).specReader);

export const lateSpecReader: SpecReader = {
  read: async (text, fileName) => (await loadSpecReader()).read(text, fileName),
};
