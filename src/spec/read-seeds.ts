/**
 * Reads the `seed` axis. Explicit seeds are the same for every arm of the grid (common random numbers: differences between
 * arms are not blurred by different draws); `replicates: n` gives each point n seeds of its own, derived from the point.
 */
import type { PrefixHash } from "../core/canonical-json.ts";
import { listValues, type AxisValues } from "./axis-values.ts";
import type { Field } from "./field.ts";
import type { Findings } from "./problem.ts";
import { RANGE_KEYS, readValues } from "./read-values.ts";
import { entryOf, nodeText, type SourceNode } from "./source-tree.ts";

export type Seeds =
  | { readonly kind: "shared"; readonly offset: number; readonly values: AxisValues; readonly isAxis: boolean }
  | { readonly kind: "replicates"; readonly offset: number; readonly count: number };

export const PRESET_SEEDS: Seeds = { kind: "shared", offset: 0, values: listValues(["0"]), isAxis: false };

const SEED_KEYS: readonly string[] = ["replicates", ...RANGE_KEYS];
const MOST_REPLICATES = 1_000_000_000;
const LARGEST_SEED = 2n ** 64n - 1n;

const SEED_ACCEPTED = "an integer from 0 to 2^64 - 1";
const FORMS = `${SEED_ACCEPTED}; a list or a range of such; or {replicates: n}`;

const seedField: Field = {
  name: "seed",
  description: "",
  preset: undefined,
  integer: true,
  numeric: true,
  words: [],
  takesTrueFalse: false,
  nullable: false,
  list: undefined,
  accepted: SEED_ACCEPTED,
  json: {},
  check: (value) => {
    const text = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text !== "string" || !/^\d{1,20}$/u.test(text)) return undefined;
    const seed = BigInt(text);
    return seed > LARGEST_SEED ? undefined : { value: seed.toString() };
  },
};

export function readSeeds(node: SourceNode, findings: Findings): Seeds {
  const replicates = node.kind === "map" ? entryOf(node, "replicates") : undefined;
  if (node.kind === "map" && replicates !== undefined) {
    for (const { key, keyOffset } of node.entries) {
      if (key !== "replicates") findings.addUnknown(keyOffset, `seed has no field "${key}"`, key, ["replicates"]);
    }
    const { value, offset } =
      replicates.value.kind === "scalar" ? replicates.value : { value: null, offset: node.offset };
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MOST_REPLICATES) {
      return { kind: "replicates", offset, count: value };
    }
    findings.add(
      replicates.value.offset,
      `seed.replicates cannot be ${nodeText(replicates.value)}`,
      `an integer from 1 to ${MOST_REPLICATES}`,
    );
    return PRESET_SEEDS;
  }
  const stray = node.kind === "map" ? node.entries.filter(({ key }) => !SEED_KEYS.includes(key)) : [];
  for (const { key, keyOffset } of stray) findings.addUnknown(keyOffset, `seed has no field "${key}"`, key, SEED_KEYS);
  if (stray.length > 0) return PRESET_SEEDS;
  if (node.kind === "scalar" && node.value === null) {
    findings.add(node.offset, "seed has no value", FORMS);
    return PRESET_SEEDS;
  }
  const written = readValues(withDigits(node), seedField, "seed", findings);
  if (written === undefined) return { ...PRESET_SEEDS, offset: node.offset };
  const values = written.axis ?? listValues([written.value]);
  return { kind: "shared", offset: node.offset, values, isAxis: written.axis !== undefined };
}

/** JavaScript's numbers end at 2^53; a seed is read from its digits. Not inside a range, whose ends are numbers. */
function withDigits(node: SourceNode): SourceNode {
  if (node.kind === "list") return { ...node, items: node.items.map(withDigits) };
  if (node.kind === "map") {
    const entries = node.entries.map((entry) =>
      entry.key === "values" ? { ...entry, value: withDigits(entry.value) } : entry,
    );
    return { ...node, entries };
  }
  return typeof node.value === "number" && /^\d+$/u.test(node.text) ? { ...node, value: node.text } : node;
}

/** The seed of a replicate: the first 64 bits of SHA-256 over the point without its seed, and the replicate's number. */
export function replicateSeed(seedlessCell: string, replicate: number, hash: PrefixHash): string {
  return BigInt(`0x${hash.hex(seedlessCell, `/replicate/${replicate}`).slice(0, 16)}`).toString();
}
