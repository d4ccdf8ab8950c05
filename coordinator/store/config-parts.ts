/**
 * Configurations as the parts that many of them share. The cells of a sweep have few different architectures, optimizers and so
 * on between them: each such text is stored once, and a configuration is a short list of their numbers. What comes back is the
 * text that was given, byte for byte: a cell's id is a hash of it.
 *
 * `config.parts` is a JSON list, whose numbers are parts and whose texts stand for themselves.
 */
import type { Kysely } from "kysely";
import { OccamError } from "../../src/core/errors.ts";
import type { CellArm } from "./change.ts";
import type { Tables } from "./tables.ts";

/** Shorter parts cost less where they stand; a seed of 64 bits, which no two cells share, is one of them. */
const PART_MIN_CHARS = 32;
/** Parts that are remembered; past that they are stored, or read, again. */
const KNOWN_MAX = 50_000;

/** The parts of one database, as far as they are known. */
export class ConfigParts {
  readonly #idOf = new Map<string, number>();
  readonly #textOf = new Map<number, string>();

  /** Parts are only ever added: what is known stays true, whoever writes meanwhile. */
  learn(parts: Iterable<readonly [text: string, id: number]>): void {
    for (const [text, id] of parts) {
      if (this.#idOf.size >= KNOWN_MAX) {
        this.#idOf.clear();
        this.#textOf.clear();
      }
      this.#idOf.set(text, id);
      this.#textOf.set(id, text);
    }
  }

  idOf(text: string): number | undefined {
    return this.#idOf.get(text);
  }

  /** Configurations by their lists of parts. */
  async textsOf(db: Kysely<Tables>, lists: readonly string[]): Promise<readonly string[]> {
    const parsed = lists.map((list) => JSON.parse(list) as readonly (string | number)[]);
    const isKnown = (part: string | number): boolean => typeof part === "string" || this.#textOf.has(part);
    const known = parsed.every((list) => list.every(isKnown)) ? this.#textOf : await this.#textsWith(db, parsed);
    return parsed.map((list) =>
      list.map((part) => (typeof part === "string" ? part : (known.get(part) ?? lostPart(part)))).join(""),
    );
  }

  /** Of all these parts, apart from those that are kept: which of them are may change while the others are read. */
  async #textsWith(
    db: Kysely<Tables>,
    parsed: readonly (readonly (string | number)[])[],
  ): Promise<ReadonlyMap<number, string>> {
    const known = new Map<number, string>();
    const missing = new Set<number>();
    for (const part of parsed.flat()) {
      if (typeof part === "string" || known.has(part)) continue;
      const text = this.#textOf.get(part);
      if (text === undefined) missing.add(part);
      else known.set(part, text);
    }
    if (missing.size > 0) {
      const rows = await db
        .selectFrom("config_part")
        .select(["part_id", "text"])
        .where("part_id", "in", [...missing])
        .execute();
      for (const { part_id, text } of rows) known.set(part_id, text);
      this.learn(rows.map(({ part_id, text }) => [text, part_id]));
    }
    return known;
  }
}

const NO_ARM = { arm: undefined, before: "", after: "" };

/** The parts that one transaction adds: they are known to all once it is through. */
export class NewParts {
  readonly added = new Map<string, number>();
  readonly #known: ConfigParts;
  /** Cells of one arm mostly follow one another. */
  #last: { readonly arm: object | undefined; readonly before: string; readonly after: string } = NO_ARM;
  #nextId: number;

  constructor(known: ConfigParts, nextId: number) {
    this.#known = known;
    this.#nextId = nextId;
  }

  get nextId(): number {
    return this.#nextId;
  }

  /** The list of a cell's configuration. */
  listOf(arm: Pick<CellArm, "before" | "after">, own: string): string {
    if (arm !== this.#last.arm) {
      const before = arm.before.map((text) => `${this.#item(text)},`).join("");
      const after = arm.after.map((text) => `,${this.#item(text)}`).join("");
      this.#last = { arm, before: `[${before}`, after: `${after}]` };
    }
    return `${this.#last.before}${this.#item(own)}${this.#last.after}`;
  }

  #item(text: string): string {
    return text.length < PART_MIN_CHARS ? JSON.stringify(text) : String(this.#idOf(text));
  }

  #idOf(part: string): number {
    const id = this.#known.idOf(part) ?? this.added.get(part);
    if (id !== undefined) return id;
    const next = this.#nextId;
    this.#nextId += 1;
    this.added.set(part, next);
    return next;
  }
}

function lostPart(part: number): never {
  throw new OccamError("store-corrupt", `the store lacks part ${part} of a configuration`, {
    hint: "`occam store check` says what else is damaged; put a backup in its place",
  });
}
