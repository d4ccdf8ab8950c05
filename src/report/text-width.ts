/**
 * Width of a text without a canvas. Vega's own estimate (0.8 em a character) is half as wide again as sans-serif text is,
 * which pushes titles and legends out of a panel.
 */

/** Em widths of characters that differ much from the average, after Helvetica's metrics. */
const CLASSES: readonly (readonly [string, number])[] = [
  ["iljI|.,:;'!`", 0.26],
  ['tfr()[]{}/\\ -–·"*°', 0.33],
  ["mwMW@%—…", 0.86],
  ["ABCDEFGHKNOPQRSUVXYZ&±×λΣ=+<>~", 0.66],
  ["\u0302\u0304", 0],
];

const WIDTH = new Map(CLASSES.flatMap(([characters, width]) => Array.from(characters, (one) => [one, width] as const)));
const AVERAGE = 0.55;

/** Which of the fonts in the list is there is not known: DejaVu Sans and Segoe UI are wider than Helvetica. */
const ALLOWANCE = 1.1;

/** Pixels, for a font size in pixels. */
export function textWidth(text: string, fontSize: number): number {
  let ems = 0;
  for (const character of text) ems += WIDTH.get(character) ?? AVERAGE;
  return ems * fontSize * ALLOWANCE;
}
