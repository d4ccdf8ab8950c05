/** What a long command does at this moment: one line that is overwritten on a terminal, nothing of it elsewhere. */
import { widthOf, type Output } from "../io.ts";
import { fit } from "../output/format.ts";

/** To the line's start, and erase to its end (ECMA-48 EL). */
const ERASE = "\r\u001b[K";

export class StatusLine {
  readonly #output: Output | undefined;
  #label = "";
  #drawn = "";

  /** @param output undefined: say nothing at all */
  constructor(output: Output | undefined) {
    this.#output = output;
  }

  begin(label: string): void {
    this.#label = label;
    void this.at(0);
  }

  /** @param share of what has begun, 0 .. 1 */
  async at(share: number): Promise<void> {
    const text = `${this.#label} ... ${Math.round(100 * Math.min(1, share))} %`;
    if (this.#output?.isTTY !== true || text === this.#drawn) return;
    this.#drawn = text;
    await this.#output.write(`${ERASE}${fit(text, widthOf(this.#output) - 1)}`);
  }

  /** A line for the record. */
  async line(text: string): Promise<void> {
    if (this.#output === undefined) return;
    const erase = this.#drawn === "" ? "" : ERASE;
    this.#drawn = "";
    await this.#output.write(`${erase}${text}\n`);
  }
}
