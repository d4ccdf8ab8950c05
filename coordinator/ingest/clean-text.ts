/** Text from outside, as a store can keep it: SQLite's readers end a text at a NUL, and PostgreSQL refuses one. */

/** NUL becomes its picture, U+2400. */
export function cleanText(text: string): string {
  return text.includes("\0") ? text.replaceAll("\0", "\u2400") : text;
}
