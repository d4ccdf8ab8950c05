/** A two-way table between words of ours and the numbers of a generated enumeration. */
import { OccamError } from "../core/errors.ts";

export interface EnumTable<Word extends string, Wire extends number> {
  toWire(word: Word): Wire;
  /** Throws "protocol" for a number that this version does not know, "unspecified" included. */
  fromWire(value: number): Word;
}

export function enumTable<Word extends string, Wire extends number>(
  noun: string,
  table: Readonly<Record<Word, Wire>>,
): EnumTable<Word, Wire> {
  const words = new Map(
    (Object.entries(table) as [Word, Wire][]).map(([word, value]): [number, Word] => [value, word]),
  );
  return {
    toWire: (word) => table[word],
    fromWire: (value) => {
      const word = words.get(value);
      if (word === undefined) throw new OccamError("protocol", `${value} is no ${noun} that this version knows`);
      return word;
    },
  };
}
