/** A result as a worker sends it, checked: what is refused here never reaches the store. */
import { OccamError } from "../../src/core/errors.ts";
import type { CellResult } from "../../src/result/cell-result.ts";
import { readResult } from "../../src/wire/cell-outcome.ts";
import { LIMITS } from "../limits.ts";

/** @throws OccamError "protocol" for a text that is no result, or a digest that is not its digest */
export function checkResult(json: string, digest: string): CellResult {
  if (json.length > LIMITS.resultChars) {
    throw new OccamError("protocol", `a result has ${json.length} characters; the limit is ${LIMITS.resultChars}`);
  }
  const { result, digest: own } = readResult(json);
  if (own === digest) return result;
  throw new OccamError("protocol", `the digest of a result is ${own}, and it was sent with ${digest.slice(0, 64)}`, {
    hint: "worker and coordinator must be of the same version",
  });
}
