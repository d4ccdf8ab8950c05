/** Datasets that were loaded in this process, the most recently used kept, so that shards of one sweep load them once. */
import { canonicalJson } from "../../src/core/canonical-json.ts";
import type { Config, LoadedData } from "../../src/catalogue/entry.ts";
import { dataKey, datasetOf } from "../../src/catalogue/registry.ts";

/** Datasets kept: a sweep varies few of them within neighbouring shards, and each may be some hundred megabytes. */
const CAPACITY = 4;

export class DatasetCache {
  readonly #entries = new Map<string, Promise<LoadedData>>();

  /** The data of a configuration; a load that fails is not kept. */
  async load(config: Config): Promise<LoadedData> {
    const name = canonicalJson(config);
    const data = this.#entries.get(name) ?? datasetOf(config).load(config, dataKey(config));
    this.#entries.delete(name);
    this.#entries.set(name, data);
    try {
      return await data;
    } catch (error) {
      this.#entries.delete(name);
      throw error;
    } finally {
      this.#evict();
    }
  }

  #evict(): void {
    for (const name of this.#entries.keys()) {
      if (this.#entries.size <= CAPACITY) return;
      this.#entries.delete(name);
    }
  }
}
