/** A text field that a request must bring. */
import { OccamError } from "../../src/core/errors.ts";
import { shortText } from "./within.ts";

export function required(value: string, field: string): string {
  if (value === "") throw new OccamError("protocol", `the request has no ${field}`);
  return shortText(value, field);
}
