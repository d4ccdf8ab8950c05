/**
 * The worker's own log: to the process's logger, and to the coordinator, so that a worker can be read where its cells are.
 * A lease goes by the field `lease`: `token` is redacted.
 */
import type { Clock } from "../../src/core/clock.ts";
import { LOG_FIELDS, LOG_LEVELS, type Logger, type LogLevel } from "../../src/core/log.ts";
import type { LogEntry, LogFields } from "../../src/wire/log-record.ts";

export class WorkerLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #upload: (entry: LogEntry) => void;

  constructor(logger: Logger, clock: Clock, upload: (entry: LogEntry) => void) {
    this.#logger = logger;
    this.#clock = clock;
    this.#upload = upload;
  }

  say(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#logger[level](fields, message);
    this.#send(level, message, fields);
  }

  /** A line that the trainer wrote: its pino log, or whatever a library printed. */
  trainerLine(line: string): void {
    const parsed = parsePino(line);
    if (parsed === undefined) return this.say("info", line, { from: "trainer" });
    this.say(parsed.level, parsed.message, { from: "trainer", ...parsed.fields });
  }

  #send(level: LogLevel, message: string, fields: LogFields): void {
    if (this.#logger.isLevelEnabled(level)) this.#upload({ timeMs: this.#clock.nowMs(), level, message, fields });
  }
}

/** Of the trainer's process; the line gets those of this one. */
const FIXED: readonly string[] = LOG_FIELDS;

interface PinoLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A line of pino's; undefined for any other text. */
export function parsePino(line: string): PinoLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const { level, msg, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const fields = Object.fromEntries(Object.entries(rest).filter(([name]) => !FIXED.includes(name)));
    const known = LOG_LEVELS.find((name) => name === level);
    return known === undefined || typeof msg !== "string" ? undefined : { level: known, message: msg, fields };
  } catch {
    return undefined;
  }
}
