/** A log line within the named limits; what is cut is marked, never hidden. */
import { boundFields, boundMessage } from "../../src/wire/bound-line.ts";
import { cleanText } from "./clean-text.ts";

export interface SentLine {
  /** The worker's clock; a store keeps whole numbers up to 2^53 - 1. */
  readonly timeMs: number;
  /** 1 debug, 2 info, 3 warn, 4 error. */
  readonly level: number;
  readonly message: string;
  readonly fieldsJson: string;
}

export function boundLine(line: SentLine): SentLine {
  const timeMs = Math.min(line.timeMs, Number.MAX_SAFE_INTEGER);
  const message = cleanText(boundMessage(line.message));
  return { ...line, timeMs, message, fieldsJson: cleanText(boundFields(line.fieldsJson)) };
}
