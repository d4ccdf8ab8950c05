/**
 * Is a value what its schema would make of it, as it is? zod copies what it checks, field by field, in the schema's order; a value that
 * is right needs no copy. "No" says nothing but that zod is to be asked: why it is wrong, or what of it is not known.
 */
import { z } from "zod";

type Test = (value: unknown) => boolean;

/** @throws for a schema of a kind that it does not know */
export function exactly<T>(schema: z.ZodType<T>): (value: unknown) => value is T {
  return testOf(schema) as (value: unknown) => value is T;
}

function testOf(schema: unknown): Test {
  if (schema instanceof z.ZodObject) return ofObject(schema.shape);
  if (schema instanceof z.ZodArray) return ofArray(testOf(schema.element));
  if (schema instanceof z.ZodReadonly || schema instanceof z.ZodExactOptional) return testOf(schema.def.innerType);
  if (schema instanceof z.ZodNullable) return ofNullable(testOf(schema.def.innerType));
  if (schema instanceof z.ZodEnum) return ofEnum(new Set<unknown>(schema.options));
  if (schema instanceof z.ZodString && hasNoChecks(schema)) return (value) => typeof value === "string";
  if (schema instanceof z.ZodNumber) {
    if (hasNoChecks(schema)) return Number.isFinite;
    if (schema.def.checks?.length === 1 && schema.format === "safeint") return Number.isSafeInteger;
  }
  throw new Error("a schema of this kind has no exact test");
}

const hasNoChecks = ({ def }: z.ZodString | z.ZodNumber): boolean => (def.checks ?? []).length === 0;

/** Its fields and no others; one that may be left out and is there is never undefined. */
function ofObject(shape: Readonly<Record<string, unknown>>): Test {
  const fields = Object.entries(shape).map(([name, schema]) => ({
    name,
    test: testOf(schema),
    isOptional: schema instanceof z.ZodExactOptional,
  }));
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
    let known = 0;
    for (const { name, test, isOptional } of fields) {
      const field = (value as Readonly<Record<string, unknown>>)[name];
      if (field === undefined ? !isOptional : !test(field)) return false;
      if (field !== undefined) known += 1;
    }
    let all = 0;
    for (const _ in value) all += 1;
    return all === known;
  };
}

const ofArray =
  (test: Test): Test =>
  (value) =>
    Array.isArray(value) && value.every(test);

const ofNullable =
  (test: Test): Test =>
  (value) =>
    value === null || test(value);

const ofEnum =
  (options: ReadonlySet<unknown>): Test =>
  (value) =>
    options.has(value);
