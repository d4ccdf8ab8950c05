/** What a command may touch of the world: its streams, environment, folder and clock. */
import { systemClock, type Clock } from "../core/clock.ts";
import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { paintFor, type Paint } from "./output/paint.ts";

/** An output that honours back-pressure. */
export interface Output {
  readonly isTTY: boolean;
  /** Width in columns, when it is known. */
  columns(): number | undefined;
  /** Height in lines, when it is known. */
  rows(): number | undefined;
  readonly paint: Paint;
  /** Resolves when the stream can take more. */
  write(text: string): Promise<void>;
  /** Calls back when everything written is with the operating system. */
  end(done: () => void): void;
}

export interface Io {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
}

function outputOf(stream: NodeJS.WriteStream & { readonly fd: number }): Output {
  // `occam logs | head` closes the pipe early: that ends the command, and is no error.
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  const isTTY = isatty(stream.fd);
  return {
    isTTY,
    columns: () => (isTTY ? stream.columns : columnsOf(process.env["COLUMNS"])),
    rows: () => (isTTY ? stream.rows : undefined),
    paint: paintFor(isTTY && stream.hasColors()),
    write: (text) =>
      new Promise((resolve) => {
        if (stream.write(text)) resolve();
        else stream.once("drain", resolve);
      }),
    end: (done) => void stream.write("", () => done()),
  };
}

function columnsOf(text: string | undefined): number | undefined {
  const columns = Number(text);
  return Number.isInteger(columns) && columns > 0 ? columns : undefined;
}

export function processIo(): Io {
  return {
    out: outputOf(process.stdout),
    err: outputOf(process.stderr),
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
  };
}

/** The width that text is wrapped or cut to. */
export function widthOf(output: Output, most = Number.POSITIVE_INFINITY): number {
  return Math.min(most, Math.max(20, output.columns() ?? 80));
}

/** One line to standard error, also from an exit handler. */
export function complain(text: string): void {
  writeSync(2, `${text}\n`);
}
