/** A log line within the named limits; what is cut is marked, never hidden. */
import { LIMITS } from "../limits.ts";
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
  const { message, fieldsJson } = line;
  const cut = message.length - LIMITS.logMessageChars;
  const kept = cut <= 0 ? message : `${message.slice(0, LIMITS.logMessageChars)} … (${cut} more characters)`;
  const tooMany = fieldsJson.length > LIMITS.logFieldsChars;
  const fields = tooMany ? JSON.stringify({ droppedFieldsChars: fieldsJson.length }) : fieldsJson;
  const timeMs = Math.min(line.timeMs, Number.MAX_SAFE_INTEGER);
  return { ...line, timeMs, message: cleanText(kept), fieldsJson: cleanText(fields) };
}
