/**
 * The canonical text of a cell, put together from those of its sections. Cells of a grid share most of their sections, so
 * each section's text is made once; the whole is what `canonicalCell` writes, at a tenth of its cost.
 */
import { canonicalJson, sha256Hex, type Json } from "../core/canonical-json.ts";
import { asCellId } from "../core/ids.ts";
import { NUMERICS_VERSION } from "../core/version.ts";
import type { Cell } from "./cell.ts";
import type { SeedlessConfig } from "./resolve.ts";

/** Texts that are kept for each section; an axis of more values makes them anew. */
const KEPT_TEXTS = 10_000;

type Part = keyof SeedlessConfig;

export class CanonicalSections {
  readonly #texts = new Map<Part, Map<string, string>>();

  /** Of one section, for keys of caches too. */
  textOf(part: Part, value: SeedlessConfig[Part]): string {
    // Objects of one variant have their keys in one order, so this is a key; two keys of one text would do no harm.
    const key = JSON.stringify(value);
    let texts = this.#texts.get(part);
    if (texts === undefined) this.#texts.set(part, (texts = new Map()));
    const known = texts.get(key);
    if (known !== undefined) return known;
    const text = canonicalJson(value as unknown as Json);
    if (texts.size >= KEPT_TEXTS) texts.clear();
    texts.set(key, text);
    return text;
  }

  /** What a replicate's seed is derived from. */
  seedless(config: SeedlessConfig): string {
    return this.#whole(config, "");
  }

  cell(config: SeedlessConfig, seed: string): Cell {
    const text = this.#whole(config, `"seed":${JSON.stringify(seed)},`);
    return { id: asCellId(sha256Hex(text)), config: { ...config, seed } };
  }

  /** Keys in the order of code units, as canonical JSON has them. */
  #whole(config: SeedlessConfig, seed: string): string {
    const part = (name: Part): string => `"${name}":${this.textOf(name, config[name])},`;
    const before = `${part("architecture")}${part("data")}${part("estimate")}"occam":${NUMERICS_VERSION},`;
    const after = `${part("optimizer")}${part("regulariser")}${seed}"train":${this.textOf("train", config.train)}`;
    return `{${before}${after}}`;
  }
}
