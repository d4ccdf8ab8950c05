/** One text for one value: the form that ids are hashed from. */
import { hash } from "node:crypto";
import { OccamError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * JSON with object keys sorted by code unit and no white space, after RFC 8785: numbers in ECMAScript's shortest form, -0
 * as 0. Keys whose value is undefined are left out. Throws on NaN and infinities.
 */
export function canonicalJson(value: Json): string {
  // What was parsed from a canonical text, mostly.
  return isInOrder(value) ? JSON.stringify(value) : ordered(value);
}

/** `JSON.stringify` writes it as it is to be: keys ascend, and there is nothing that it would leave out or replace. */
function isInOrder(value: Json | undefined): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (value === undefined || value === null || typeof value !== "object") return value !== undefined;
  if (Array.isArray(value)) return value.every(isInOrder);
  const record = value as { readonly [key: string]: Json | undefined };
  let last: string | undefined;
  for (const key in record) {
    if ((last !== undefined && last > key) || !isInOrder(record[key])) return false;
    last = key;
  }
  return true;
}

function ordered(value: Json): string {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new OccamError("internal", `a number of a canonical form is ${value}`);
    // As JSON.stringify writes it, and -0 as "0".
    return String(value);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => ordered(item)).join(",")}]`;
  const record = value as { readonly [key: string]: Json | undefined };
  let text = "";
  for (const key of sortedKeys(record)) {
    const field = record[key];
    if (field !== undefined) text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${ordered(field)}`;
  }
  return `{${text}}`;
}

/** Mostly they are sorted already. */
function sortedKeys(record: object): readonly string[] {
  const keys = Object.keys(record);
  for (let at = 1; at < keys.length; at += 1) if (keys[at - 1]! > keys[at]!) return keys.sort();
  return keys;
}

/** SHA-256 of a text (as UTF-8), hex. */
export function sha256Hex(text: string): string {
  return hash("sha256", text, "hex");
}

/** SHA-256 of many texts that begin alike: what they begin with is encoded once. */
export class PrefixHash {
  #prefix = "";
  /** Bytes of the prefix. */
  #from = 0;
  #bytes = Buffer.alloc(1_024);
  /** The beginning of `#bytes` that the last text filled: most are as long as the one before. */
  #text = this.#bytes;

  /** `sha256Hex(prefix + rest)` */
  hex(prefix: string, rest: string): string {
    if (prefix !== this.#prefix) this.#begin(prefix);
    this.#makeRoom(this.#from + BYTES_OF_UNIT * rest.length);
    const length = this.#from + this.#bytes.write(rest, this.#from);
    if (this.#text.length !== length) this.#text = this.#bytes.subarray(0, length);
    return hash("sha256", this.#text, "hex");
  }

  #begin(prefix: string): void {
    this.#makeRoom(BYTES_OF_UNIT * prefix.length);
    this.#from = this.#bytes.write(prefix);
    this.#prefix = prefix;
  }

  #makeRoom(sizeBytes: number): void {
    if (sizeBytes <= this.#bytes.length) return;
    const larger = Buffer.alloc(2 * sizeBytes);
    this.#bytes.copy(larger, 0, 0, this.#from);
    this.#bytes = larger;
    this.#text = larger;
  }
}

/** UTF-8 takes no more for one unit of UTF-16. */
const BYTES_OF_UNIT = 3;
