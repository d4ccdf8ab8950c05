/** What a test reads from an SVG: that it is well-formed XML, its texts, and its marks. */

export interface SvgElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: SvgElement[];
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", "#39": "'" };

function decoded(text: string): string {
  if (text.includes("<")) throw new Error(`a bare < in ${text}`);
  return text.replaceAll(/&([^;&]*);?/g, (whole, name: string) => {
    const character = ENTITIES[name];
    if (character === undefined) throw new Error(`the entity ${whole} is unknown`);
    return character;
  });
}

const TOKEN = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/y;

/** Throws when the text is not one well-formed element. */
export function parseSvg(text: string): SvgElement {
  const root: SvgElement = { name: "", attributes: new Map(), children: [], text: "" };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw new Error(`not well-formed at ${text.slice(from, from + 60)}`);
    const [, closing, name = "", attributes = "", selfClosing, content] = match;
    if (content !== undefined) open.at(-1)!.text += decoded(content);
    else if (closing === "/") {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes another element`);
    } else {
      const pairs = [...attributes.matchAll(/([\w:-]+)="([^"]*)"/g)];
      const element = {
        name,
        attributes: new Map(pairs.map(([, key, value]) => [key!, decoded(value!)])),
        children: [],
        text: "",
      };
      open.at(-1)!.children.push(element);
      if (selfClosing !== "/") open.push(element);
    }
  }
  if (open.length !== 1 || root.children.length !== 1) throw new Error("not one element");
  return root.children[0]!;
}

export function* elementsOf(element: SvgElement): Generator<SvgElement> {
  yield element;
  for (const child of element.children) yield* elementsOf(child);
}

/** All texts, lines of one text joined by a space. */
export function textOf(root: SvgElement): string {
  return [...elementsOf(root)]
    .map(({ text }) => text.trim())
    .filter((text) => text !== "")
    .join(" ");
}

/** The marks of the layer of this name. */
export function marksOf(root: SvgElement, layer: string): readonly SvgElement[] {
  const named = [...elementsOf(root)].filter((element) =>
    element.attributes.get("class")?.split(" ").includes(`${layer}_marks`),
  );
  return named.flatMap(({ children }) => children);
}
