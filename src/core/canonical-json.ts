/** One text for one value: the form that ids are hashed from. */
import { hash } from "node:crypto";
import { OccamError } from "./errors.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * JSON with object keys sorted by code unit and no white space, after RFC 8785: numbers in ECMAScript's shortest form, -0
 * as 0. Keys whose value is undefined are left out. Throws on NaN and infinities.
 */
export function canonicalJson(value: Json): string {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new OccamError("internal", `a number of a canonical form is ${value}`);
    return JSON.stringify(value === 0 ? 0 : value);
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(",")}]`;
  const record = value as { readonly [key: string]: Json | undefined };
  const fields: string[] = [];
  for (const key of Object.keys(record).sort()) {
    const field = record[key];
    if (field !== undefined) fields.push(`${JSON.stringify(key)}:${canonicalJson(field)}`);
  }
  return `{${fields.join(",")}}`;
}

/** SHA-256 of a text (as UTF-8), hex. */
export function sha256Hex(text: string): string {
  return hash("sha256", text, "hex");
}
