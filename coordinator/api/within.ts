/** Bounds of what a request brings. A message is at most 8 MiB; these keep its parts from costing far more than its bytes. */
import { OccamError } from "../../src/core/errors.ts";
import { LIMITS } from "../limits.ts";

/** They would be kept in the store and shown in terminals. */
const CONTROL = /\p{Cc}/u;

/** A short text without control characters, or "". @throws "protocol" */
export function shortText(value: string, field: string): string {
  if (value.length > LIMITS.idChars) throw tooMuch(`${field} has ${value.length} characters`, LIMITS.idChars);
  if (CONTROL.test(value)) throw new OccamError("protocol", `${field} has control characters`);
  return value;
}

/** @throws "protocol" when there are more than `most` */
export function atMost(count: number, most: number, what: string): void {
  if (count > most) throw tooMuch(`${count} ${what}`, most);
}

function tooMuch(what: string, most: number): OccamError {
  return new OccamError("protocol", `the request has too much: ${what}; the limit is ${most}`);
}
