/**
 * A sweep file as a tree of values that know where they stand. YAML 1.2 (and so JSON), by the `yaml` package; aliases are
 * followed and `<<` merges are applied, so that readers see plain lists and mappings.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Alias,
  type Node,
  type Scalar as YamlScalar,
  type YAMLMap,
} from "yaml";
import { MOST_FINDINGS, type Findings } from "./problem.ts";
import { SPEC_LIMIT_BYTES } from "./spec-limit.ts";

export interface ScalarNode {
  readonly kind: "scalar";
  readonly offset: number;
  readonly value: string | number | boolean | null;
  /** As it is written, without quotes: a 64-bit seed keeps all of its digits. */
  readonly text: string;
  /** The place in the file of a place in the value, for expressions. */
  readonly offsetOf: (index: number) => number;
}

export interface ListNode {
  readonly kind: "list";
  readonly offset: number;
  readonly items: readonly SourceNode[];
}

export interface Entry {
  readonly key: string;
  readonly keyOffset: number;
  readonly value: SourceNode;
}

export interface MapNode {
  readonly kind: "map";
  readonly offset: number;
  readonly entries: readonly Entry[];
}

export type SourceNode = ScalarNode | ListNode | MapNode;

/** Levels of nesting; a sweep has about eight. */
const DEPTH_LIMIT = 50;
/** Nodes after aliases are followed; bounds a file that nests aliases ("billion laughs"). */
const NODE_LIMIT = 100_000;

export interface SourceTree {
  /** Undefined for a file without content. */
  readonly root: SourceNode | undefined;
  /** Offset of the first mistake in the file's syntax; what stands behind it cannot be read reliably. */
  readonly brokenFrom: number;
  lineColumn(offset: number): { readonly line: number; readonly column: number };
}

/** Mistakes that leave the tree as it was meant. */
const HARMLESS = new Set(["TAG_RESOLVE_FAILED"]);

export function readSource(text: string, findings: Findings): SourceTree {
  const lineCounter = new LineCounter();
  const tooLarge = Buffer.byteLength(text) > SPEC_LIMIT_BYTES;
  if (tooLarge) findings.add(0, `the file is larger than ${SPEC_LIMIT_BYTES} bytes`);
  const tooDeep = tooLarge ? -1 : tooDeepAt(text);
  if (tooDeep >= 0) findings.add(tooDeep, `more than ${DEPTH_LIMIT} levels of nesting`);
  // Keys that stand twice are found below: the parser compares each with all before it.
  const options = { lineCounter, prettyErrors: false, version: "1.2", uniqueKeys: false } as const;
  const document = parseDocument(tooLarge || tooDeep >= 0 ? "" : text, options);
  let brokenFrom = Infinity;
  for (const error of [...document.errors, ...document.warnings].slice(0, MOST_FINDINGS)) {
    const offset = error.pos[0];
    findings.add(offset, syntaxMessage(error.code, error.message, text.slice(offset)));
    if (!HARMLESS.has(error.code)) brokenFrom = Math.min(brokenFrom, offset);
  }
  const converter = new Converter(text, findings);
  const root = document.contents === null ? undefined : converter.convert(document.contents);
  return {
    root,
    brokenFrom,
    lineColumn: (offset) => {
      const { line, col } = lineCounter.linePos(Math.min(offset, text.length));
      return { line: Math.max(1, line), column: Math.max(1, col) };
    },
  };
}

/**
 * Where the text nests too deep; -1: nowhere. It counts, line by line, what opens a level for the parser: brackets, and the
 * indicators of block collections in a row. It need not be exact: no sweep comes near.
 */
function tooDeepAt(text: string): number {
  let open = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]!;
    if (character === "[" || character === "{") open += 1;
    else if (character === "]" || character === "}") open = Math.max(0, open - 1);
    if (open > DEPTH_LIMIT) return at;
  }
  return inARow(text);
}

/** "- - - -", "? ? ?" and "&a &a &a": where so many indicators stand in a row. */
function inARow(text: string): number {
  let count = 0;
  for (const { 0: word, index } of text.matchAll(/\S+/gu)) {
    count = /^(?:[-?:]$|[&!])/u.test(word) ? count + 1 : 0;
    if (count > DEPTH_LIMIT) return index;
  }
  return -1;
}

/** @param source the text from the mistake on */
function syntaxMessage(code: string, message: string, source: string): string {
  const word = /^["']?[^\s:,[\]{}"']*["']?/u.exec(source)?.[0] ?? "";
  if (code === "TAG_RESOLVE_FAILED") return `YAML tags have no meaning here: ${word}`;
  return `not valid YAML: ${message}`;
}

class Converter {
  readonly #text: string;
  readonly #findings: Findings;
  /** Anchors that are being followed: an alias inside its own anchor has no end. */
  readonly #open = new Set<Node>();
  /**
   * The last node of each anchor so far, in the order of the file. The package's own look-up walks the document for every
   * alias: a file of 200,000 of them would take hours.
   */
  readonly #anchors = new Map<string, Node>();
  #aliases = 0;
  #nodes = 0;

  constructor(text: string, findings: Findings) {
    this.#text = text;
    this.#findings = findings;
  }

  convert(node: Node): SourceNode {
    const offset = node.range?.[0] ?? 0;
    this.#nodes += 1;
    if (this.#nodes === NODE_LIMIT) this.#findings.add(offset, `more than ${NODE_LIMIT} values, aliases followed`);
    if (this.#nodes >= NODE_LIMIT) return nothingAt(offset);
    if (isAlias(node)) return this.#follow(node, offset);
    this.#remember(node);
    if (isMap(node)) return this.#inside(node, () => ({ kind: "map", offset, entries: this.#entries(node) }));
    if (isSeq(node)) {
      return this.#inside(node, () => ({
        kind: "list",
        offset,
        items: node.items.map((item) => this.convertOrNothing(item as Node | null, offset)),
      }));
    }
    return isScalar(node) ? this.#scalar(node, offset) : nothingAt(offset);
  }

  #follow({ source }: Alias, offset: number): SourceNode {
    const target = this.#anchors.get(source);
    if (target === undefined || this.#open.has(target)) {
      this.#findings.add(offset, `the alias *${source} has no anchor before it`);
      return nothingAt(offset);
    }
    this.#aliases += 1;
    const followed = this.#inside(target, () => this.convert(target));
    this.#aliases -= 1;
    return followed;
  }

  /** What is read by way of an alias was remembered where it stands. */
  #remember(node: Node): void {
    if (this.#aliases === 0 && "anchor" in node && typeof node.anchor === "string")
      this.#anchors.set(node.anchor, node);
  }

  #inside(node: Node, read: () => SourceNode): SourceNode {
    this.#open.add(node);
    try {
      return read();
    } finally {
      this.#open.delete(node);
    }
  }

  convertOrNothing(node: Node | null | undefined, offset: number): SourceNode {
    return node === null || node === undefined ? nothingAt(offset) : this.convert(node);
  }

  #scalar(node: YamlScalar, offset: number): ScalarNode {
    const value = node.value;
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    const text = typeof value === "string" ? value : (node.source ?? String(value));
    const offsetOf = (index: number): number => sourceOffset(this.#text, offset, text, index);
    return { kind: "scalar", offset, value: isPlain ? value : null, text, offsetOf };
  }

  #entries(node: YAMLMap): Entry[] {
    const own: Entry[] = [];
    const merged: Entry[] = [];
    for (const pair of node.items) {
      const keyNode = pair.key as Node | null;
      if (keyNode !== null) this.#remember(keyNode);
      const keyOffset = keyNode?.range?.[0] ?? node.range?.[0] ?? 0;
      const key = isScalar(keyNode) ? String(keyNode.value) : String(keyNode);
      const value = this.convertOrNothing(pair.value as Node | null, keyOffset);
      if (key !== "<<") own.push({ key, keyOffset, value });
      else if (value.kind === "map") merged.push(...value.entries);
      else if (value.kind === "list") {
        for (const item of value.items) if (item.kind === "map") merged.push(...item.entries);
      }
    }
    const keys = new Set<string>();
    for (const { key, keyOffset } of own) {
      if (keys.has(key)) this.#findings.add(keyOffset, `the key ${key} stands twice in one mapping`);
      keys.add(key);
    }
    for (const entry of merged) {
      if (keys.has(entry.key)) continue;
      keys.add(entry.key);
      own.push(entry);
    }
    return own;
  }
}

function nothingAt(offset: number): ScalarNode {
  return { kind: "scalar", offset, value: null, text: "", offsetOf: () => offset };
}

/**
 * Where character `index` of a scalar's value stands in the file. Quotes, indentation, folded lines and escapes make the two
 * texts differ, so they are aligned from the left: each character of the value is the next equal one of the file, and white
 * space matches white space.
 */
function sourceOffset(text: string, start: number, value: string, index: number): number {
  let at = start;
  const first = text[start];
  if (first === "|" || first === ">") at = Math.max(start, text.indexOf("\n", start) + 1);
  for (let i = 0; i <= index && i < value.length; i += 1) {
    const wanted = value[i]!;
    const blank = /\s/u.test(wanted);
    while (at < text.length && !(blank ? /\s/u.test(text[at]!) : text[at] === wanted)) at += 1;
    if (i < index) at += 1;
  }
  return Math.min(at, text.length);
}

/** The entry of a key, if the mapping has it. */
export function entryOf(map: MapNode, key: string): Entry | undefined {
  return map.entries.find((entry) => entry.key === key);
}

/** What a message calls a node: its value, or what it is. */
export function nodeText(node: SourceNode): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a mapping";
  if (node.value === null) return "nothing";
  return typeof node.value === "string" ? JSON.stringify(node.value) : node.text;
}
