/** Configurations of the registered datasets for the conformance suite: the defaults, and each option of each choice. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Config, Dataset, LoadedData, Scalar } from "../../src/catalogue/entry.ts";
import { DATASETS, dataKey, datasetOf } from "../../src/catalogue/registry.ts";

export interface DataCase {
  readonly name: string;
  readonly dataset: Dataset;
  readonly config: Config;
}

/** A configuration with every default filled in. */
export function configOf(kind: string, fields: Readonly<Record<string, Scalar>> = {}): Config {
  return { kind, ...(datasetOf({ kind }).schema.parse(fields) as Record<string, Scalar>) };
}

export const load = (config: Config): Promise<LoadedData> => datasetOf(config).load(config, dataKey(config));

interface JsonProperty {
  readonly description?: string;
  readonly default?: Scalar;
  readonly enum?: readonly Scalar[];
  readonly anyOf?: readonly { readonly const?: Scalar }[];
}

/** A dataset's fields, as JSON Schema has them. */
export function fieldsOf(dataset: Dataset): Readonly<Record<string, JsonProperty>> {
  return z.toJSONSchema(dataset.schema).properties as Record<string, JsonProperty>;
}

const optionsOf = (field: JsonProperty): readonly Scalar[] =>
  field.enum ?? field.anyOf?.flatMap((option) => option.const ?? []) ?? [];

export const DATA_CASES: readonly DataCase[] = DATASETS.flatMap((dataset) => {
  const choices = Object.entries(fieldsOf(dataset)).flatMap(([name, field]) =>
    optionsOf(field).map((option) => ({ [name]: option })),
  );
  return [{}, ...choices].map((fields) => ({
    name: `${dataset.kind} ${JSON.stringify(fields)}`,
    dataset,
    config: configOf(dataset.kind, fields),
  }));
});

/** A short text of an array's bytes: equal for equal arrays, and much faster to compare than the arrays. */
export const digestOf = (values: Float32Array): string =>
  createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");

export const digestsOf = (data: LoadedData): readonly string[] =>
  [data.train, data.test].flatMap(({ x, y }) => [digestOf(x), digestOf(y)]);
