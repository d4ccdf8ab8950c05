/**
 * Configurations as the parts that many of them share. The cells of a sweep have few different architectures, optimizers and so
 * on between them: each such text is stored once, and a configuration is a short list of their numbers. What comes back is the
 * text that was given, byte for byte: a cell's id is a hash of it.
 *
 * `config.parts` is a JSON list, whose numbers are parts and whose texts stand for themselves.
 */
import type { Kysely } from "kysely";
import { OccamError } from "../../src/core/errors.ts";
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
    return parsed.map((list) =>
      list.map((part) => (typeof part === "string" ? part : (known.get(part) ?? lostPart(part)))).join(""),
    );
  }
}

/** A field of the configuration before this one, and what stands for it in a list. */
interface ListedPart {
  readonly text: string;
  readonly listed: string;
}

/** The parts that one transaction adds: they are known to all once it is through. */
export class NewParts {
  readonly added = new Map<string, number>();
  readonly #known: ConfigParts;
  /** Of the last configuration: the next one mostly shares all but one with it. */
  #last: readonly ListedPart[] = [];
  #nextId: number;

  constructor(known: ConfigParts, nextId: number) {
    this.#known = known;
    this.#nextId = nextId;
  }

  get nextId(): number {
    return this.#nextId;
  }

  /** The list of a configuration's parts. */
  listOf(json: string): string {
    const parts: ListedPart[] = [];
    for (let from = 0; from < json.length || parts.length === 0;) {
      const before = this.#last[parts.length];
      const part = before !== undefined && isFieldAt(json, from, before.text) ? before : this.#listed(json, from);
      parts.push(part);
      from += part.text.length;
    }
    this.#last = parts;
    return `[${parts.map((part) => part.listed).join(",")}]`;
  }

  #listed(json: string, from: number): ListedPart {
    const text = json.slice(from, endOfField(json, from));
    return { text, listed: text.length < PART_MIN_CHARS ? JSON.stringify(text) : String(this.#idOf(text)) };
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

/** Does a field that was cut before stand here, whole? Then it is cut here as it was there. */
function isFieldAt(json: string, from: number, field: string): boolean {
  const end = from + field.length;
  return field !== "" && json.startsWith(field, from) && (end === json.length || json.charCodeAt(end) === 0x2c);
}

/** A JSON object cut before each of its own fields; any other text is one part. */
export function splitFields(json: string): readonly string[] {
  const parts: string[] = [];
  for (let from = 0; from < json.length || parts.length === 0;) {
    const end = endOfField(json, from);
    parts.push(json.slice(from, end));
    from = end;
  }
  return parts;
}

/** Where the field that begins at `from` is cut from the next one; behind the first one the object is open. */
function endOfField(json: string, from: number): number {
  let depth = from === 0 ? 0 : 1;
  for (let at = from; at < json.length; at += 1) {
    switch (json.charCodeAt(at)) {
      case 0x22: // "
        at = endOfText(json, at);
        break;
      case 0x7b: // {
      case 0x5b: // [
        depth += 1;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth -= 1;
        break;
      case 0x2c: // ,
        if (depth === 1 && at > from) return at;
        break;
    }
  }
  return json.length;
}

/** Where the text that begins at `from` has its closing quote. */
function endOfText(json: string, from: number): number {
  let at = json.indexOf('"', from + 1);
  while (at !== -1 && isEscaped(json, at)) at = json.indexOf('"', at + 1);
  return at === -1 ? json.length : at;
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0;
  while (json.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 1;
}

function lostPart(part: number): never {
  throw new OccamError("store-corrupt", `the store lacks part ${part} of a configuration`, {
    hint: "`occam store check` says what else is damaged; put a backup in its place",
  });
}
