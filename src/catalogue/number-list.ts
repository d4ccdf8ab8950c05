/**
 * A field whose value is a list of numbers. A sweep file has it as a list, `[10, 10, 10]`, or as its text, `10 10 10`; a
 * configuration has the text, so that it stays flat and a list is one value in every table. Spaces part any numbers, read as a
 * list beside commas, and need no quotes in YAML or CSV.
 */
import { z } from "zod";

const SEPARATOR = " ";
const NUMBER = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const TEXT = new RegExp(`^${NUMBER}(?: +${NUMBER})*$`, "u");

interface Lengths {
  readonly least?: number;
  readonly most?: number;
}

/** A list of `least` to `most` numbers, each an `item`. Parsed, it is the list's text, in one form whatever was written. */
export function numberList(item: z.ZodNumber, { least = 1, most = 64 }: Lengths = {}) {
  const list = z.array(item).min(least).max(most);
  const forms = [list, z.string().trim().regex(TEXT), ...(least > 1 ? [] : [item])];
  return z.union(forms).transform((given, context): string => {
    const numbers = typeof given === "string" ? numbersOf(given) : [given].flat();
    const checked = list.safeParse(numbers);
    if (checked.success) return listText(checked.data);
    for (const { message } of checked.error.issues) context.addIssue(message);
    return z.NEVER;
  });
}

/** The numbers of a parsed list. */
export function numbersOf(text: string): readonly number[] {
  return text.split(/ +/u).map(Number);
}

/** The text that a list has in a configuration. */
export function listText(numbers: readonly number[]): string {
  return numbers.map(String).join(SEPARATOR);
}
