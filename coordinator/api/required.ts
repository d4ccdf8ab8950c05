/** A text field that a request must bring. */
import { OccamError } from "../../src/core/errors.ts";

/** Ids come from our own programs; a longer one is no id. */
const ID_CHARS = 256;

/** They would be kept in the store and shown in terminals. */
const CONTROL = /\p{Cc}/u;

export function required(value: string, field: string): string {
  if (value === "") throw new OccamError("protocol", `the request has no ${field}`);
  if (value.length > ID_CHARS) throw new OccamError("protocol", `${field} has more than ${ID_CHARS} characters`);
  if (CONTROL.test(value)) throw new OccamError("protocol", `${field} has control characters`);
  return value;
}
