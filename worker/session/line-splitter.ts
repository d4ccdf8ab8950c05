/** Text in pieces -> whole lines, each at most so long. */

const MAX_LINE_CHARS = 16_384;

export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #rest = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#emit(line);
    if (this.#rest.length > MAX_LINE_CHARS) this.end();
  }

  /** The last line may lack its end. */
  end(): void {
    this.#emit(this.#rest);
    this.#rest = "";
  }

  #emit(line: string): void {
    const whole = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (whole !== "") this.#onLine(whole.slice(0, MAX_LINE_CHARS));
  }
}
