/** Colours of a terminal, or none: Node decides by the terminal, NO_COLOR, FORCE_COLOR and TERM (`hasColors`). */

export type Colour = "red" | "green" | "yellow" | "blue" | "cyan" | "dim" | "bold";
export type Paint = (colour: Colour, text: string) => string;

/** Opening and closing SGR codes (ECMA-48, 8.3.117). */
const SGR: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  cyan: [36, 39],
  dim: [2, 22],
  bold: [1, 22],
};

const plain: Paint = (_colour, text) => text;
const colourful: Paint = (colour, text) => `\u001b[${SGR[colour][0]}m${text}\u001b[${SGR[colour][1]}m`;

export function paintFor(colours: boolean): Paint {
  return colours ? colourful : plain;
}
