/** What happened in a run, for people; silent unless somebody reads it. */
import { Writable } from "node:stream";
import { createLogger, type Logger, type LogLevel } from "../../src/core/log.ts";
import type { FakeClock } from "../support/fake-clock.ts";

/** Fields of a log line that say nothing of the run. */
const DULL = new Set(["level", "time", "msg", "component"]);

export class Journal {
  readonly #clock: FakeClock;
  readonly #startMs: number;
  readonly #print: ((line: string) => void) | undefined;

  constructor(clock: FakeClock, print: ((line: string) => void) | undefined) {
    this.#clock = clock;
    this.#startMs = clock.nowMs();
    this.#print = print;
  }

  /** @param what is not called when nobody reads */
  note(what: () => string): void {
    this.#print?.(`${((this.#clock.nowMs() - this.#startMs) / 1000).toFixed(3).padStart(9)} s  ${what()}`);
  }

  /** Somebody reads. */
  get read(): boolean {
    return this.#print !== undefined;
  }

  /** Of one process. A worker sends what it logs: its level is the same whether somebody reads here or not. */
  logger(name: string, level: LogLevel): Logger {
    if (this.#print === undefined) return silent(level);
    const destination = new Writable({
      write: (line, _encoding, done) => {
        this.note(() => `${name}: ${readable(String(line))}`);
        done();
      },
    });
    return createLogger({ component: name, level, destination });
  }
}

const silents = new Map<LogLevel, Logger>();

/** One for all: making one costs more than a run logs. */
function silent(level: LogLevel): Logger {
  const known = silents.get(level);
  if (known !== undefined) return known;
  const destination = new Writable({ write: (_line, _encoding, done) => done() });
  const logger = createLogger({ component: "simulated", level, destination });
  silents.set(level, logger);
  return logger;
}

function readable(line: string): string {
  const { msg, ...rest } = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const fields = Object.entries(rest).filter(([name]) => !DULL.has(name));
  const said = fields.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [String(msg), ...said].join(" ");
}
