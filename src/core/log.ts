/** Structured logs: pino, one field set, secrets redacted. */
import { pino, type DestinationStream, type Logger } from "pino";

export type { Logger };
export type LogLevel = "debug" | "info" | "warn" | "error";
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Fields whose values are never written. */
const SECRET_FIELDS = ["token", "authorization", "password", "secret"];

export interface LogOptions {
  /** Which process: "coordinator", "worker", "trainer", "cli". */
  readonly component: string;
  readonly level: LogLevel;
  /** Standard error when left out. */
  readonly destination?: DestinationStream;
}

/** A logger with the fixed fields; lease tokens go by the field `lease`, for `token` is redacted. */
export function createLogger(options: LogOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { component: options.component },
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]), censor: "[redacted]" },
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
