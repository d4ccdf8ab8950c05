/** A short list of texts in one column: JSON, and "" for the empty list, which nearly all are. */
export const listText = (list: readonly string[]): string => (list.length === 0 ? "" : JSON.stringify(list));

const NONE: readonly string[] = Object.freeze([]);

export const listOf = (text: string): readonly string[] => (text === "" ? NONE : (JSON.parse(text) as string[]));
