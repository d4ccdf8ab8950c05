/**
 * The canonical text of a cell, put together from those of its sections. Cells of a grid share most of their sections, so
 * each section's text is made once; the whole is what `canonicalCell` writes, at a tenth of its cost. Cells that differ in their
 * seed alone share all but the seed's field.
 */
import { canonicalJson, type Json } from "../core/canonical-json.ts";
import type { FuseKey } from "../core/ids.ts";
import { NUMERICS_VERSION } from "../core/version.ts";
import { fuseKeyOf, type CellConfig } from "./cell.ts";
import type { SeedlessConfig } from "./resolve.ts";

/** Texts that are kept for each section; an axis of more values makes them anew. */
const KEPT_TEXTS = 10_000;

type Part = keyof SeedlessConfig;

const BEFORE: Readonly<Record<Part, string>> = {
  architecture: '{"architecture":',
  data: ',"data":',
  estimate: ',"estimate":',
  optimizer: ',"optimizer":',
  regulariser: ',"regulariser":',
  train: ',"train":',
};

/** What the sections of one point are in its text: each with its key and what stands before that, so that they only need joining. */
export interface SectionTexts {
  readonly data: string;
  readonly architecture: string;
  readonly optimizer: string;
  readonly regulariser: string;
  readonly train: string;
  readonly estimate: string;
}

export class CanonicalSections {
  readonly #known = {
    data: new Map<string, string>(),
    architecture: new Map<string, string>(),
    optimizer: new Map<string, string>(),
    regulariser: new Map<string, string>(),
    train: new Map<string, string>(),
    estimate: new Map<string, string>(),
  };
  readonly #fuseKeys = new Map<string, FuseKey>();

  textsOf(config: SeedlessConfig): SectionTexts {
    return {
      data: this.#text("data", config.data),
      architecture: this.#text("architecture", config.architecture),
      optimizer: this.#text("optimizer", config.optimizer),
      regulariser: this.#text("regulariser", config.regulariser),
      train: this.#text("train", config.train),
      estimate: this.#text("estimate", config.estimate),
    };
  }

  /** `fuseKeyOf` of the configuration that these texts are of. */
  fuseKeyOf(texts: SectionTexts, config: CellConfig): FuseKey {
    const { architecture, data, train, estimate } = texts;
    const name = architecture + data + train + estimate;
    const known = this.#fuseKeys.get(name);
    if (known !== undefined) return known;
    const fuseKey = fuseKeyOf(config);
    if (this.#fuseKeys.size >= KEPT_TEXTS) this.#fuseKeys.clear();
    this.#fuseKeys.set(name, fuseKey);
    return fuseKey;
  }

  #text(part: Part, value: SeedlessConfig[Part]): string {
    // Objects of one variant have their keys in one order, so this is a key; two keys of one text would do no harm.
    const key = JSON.stringify(value);
    const texts = this.#known[part];
    const known = texts.get(key);
    if (known !== undefined) return known;
    const text = `${BEFORE[part]}${canonicalJson(value as unknown as Json)}${part === "train" ? "}" : ""}`;
    if (texts.size >= KEPT_TEXTS) texts.clear();
    texts.set(key, text);
    return text;
  }
}

/** The texts of the cells that differ in their seed alone, around the digits of that seed. */
export interface ArmTexts {
  /** Of what an id is the hash of: keys in the order of code units, as canonical JSON has them. */
  readonly idBefore: string;
  readonly idAfter: string;
  /** Of `canonicalJson` of the configuration, in pieces that other arms have too. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** What a replicate's seed is derived from. */
  readonly seedless: string;
}

const SEED = ',"seed":"';

export function armTexts({ architecture, data, estimate, optimizer, regulariser, train }: SectionTexts): ArmTexts {
  const head = `${architecture}${data}${estimate},"occam":${NUMERICS_VERSION}${optimizer}${regulariser}`;
  return {
    idBefore: head + SEED,
    idAfter: `"${train}`,
    before: [architecture, data, estimate, optimizer, regulariser + SEED],
    after: [`"${train}`],
    seedless: head + train,
  };
}
