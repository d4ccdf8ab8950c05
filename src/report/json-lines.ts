/** JSON Lines: one JSON object a line, UTF-8, LF. */
import { replaceText } from "./atomic-file.ts";

/** Replaces `path` by these entries. Integers past 2^53 become texts; NaN and infinities become null, as JSON has it. */
export function writeJsonLines(path: string, entries: Iterable<object> | AsyncIterable<object>): Promise<void> {
  return replaceText(path, lines(entries));
}

async function* lines(entries: Iterable<object> | AsyncIterable<object>): AsyncGenerator<string> {
  for await (const entry of entries) yield `${JSON.stringify(entry, jsonValue)}\n`;
}

function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value !== "bigint") return value;
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : String(value);
}
