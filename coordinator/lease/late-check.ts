/** The check of results, by modules (the schema of a result, zod) that a start does not wait for. */
import { lazy } from "../../src/core/lazy.ts";

/** Loads it, so that the first commit need not. */
export const loadCheck = lazy(async () => (await import("./check-result.ts")).checkResult);
