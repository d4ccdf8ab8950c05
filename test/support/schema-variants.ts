/**
 * Configurations of a catalogue entry, read off its schema, so that a suite covers an entry that it has never heard of: the
 * defaults made small, and one more configuration for each value of each enumeration and flag and for the least sizes.
 */
import { z } from "zod";
import type { Config, Scalar } from "../../src/catalogue/entry.ts";

interface Described {
  readonly kind: string;
  readonly schema: z.ZodObject;
}

/** Sizes that keep a test's program small; fields that an entry lacks are left out. */
const SMALL: Readonly<Record<string, Scalar>> = { width: 6, depth: 2, heads: 2, mlpRatio: 2, kernel: 3, degree: 3 };

/** Values apart from the defaults for numbers that scale something, so that a forgotten factor shows. */
const SCALES: Readonly<Record<string, Scalar>> = { initScale: 1.5, outputScale: 0.7, decay: 0.6 };

/** Lists that fit a small task, for fields whose value is a list. */
const LISTS: Readonly<Record<string, readonly Scalar[]>> = { widths: ["4 3 5 2", "5 6 3"], powers: ["2", "3 1 2"] };

function ownFields(entry: Described, wanted: Readonly<Record<string, Scalar>>): Record<string, Scalar> {
  return Object.fromEntries(Object.entries(wanted).filter(([field]) => field in entry.schema.shape));
}

/** Sizes that also have to work at their least: no hidden layer, a kernel of one pixel, one head, a constant. */
const LEAST: ReadonlySet<string> = new Set(["depth", "degree", "heads", "kernel", "mlpRatio", "pool"]);

/** Every value of an enumeration or a flag, the least value of some sizes, some lists; nothing for other fields. */
function alternatives(name: string, field: unknown): readonly Scalar[] {
  if (LISTS[name] !== undefined) return LISTS[name];
  const inner = field instanceof z.ZodDefault ? field.unwrap() : field;
  if (inner instanceof z.ZodEnum) return inner.options;
  if (inner instanceof z.ZodNumber && LEAST.has(name)) return [inner.minValue ?? 0];
  return inner instanceof z.ZodBoolean ? [false, true] : [];
}

/** Parsed configurations by a name that tells them apart. */
export function smallConfigs(entry: Described): readonly (readonly [name: string, config: Config])[] {
  const parse = (fields: Record<string, Scalar>): Config => ({ kind: entry.kind, ...entry.schema.parse(fields) });
  const small = ownFields(entry, SMALL);
  const variants: [string, Config][] = [[entry.kind, parse(small)]];
  for (const [field, type] of Object.entries(entry.schema.shape)) {
    for (const value of alternatives(field, type)) {
      variants.push([`${entry.kind} with ${field} ${String(value)}`, parse({ ...small, [field]: value })]);
    }
  }
  const scales = ownFields(entry, SCALES);
  if (Object.keys(scales).length > 0) {
    variants.push([`${entry.kind} with ${JSON.stringify(scales)}`, parse({ ...small, ...scales })]);
  }
  return variants;
}
