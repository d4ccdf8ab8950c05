/**
 * Structured logs: pino, JSON lines, one fixed set of fields, secrets redacted.
 *
 * Every line has
 *   time       ISO 8601, UTC
 *   level      debug, info, warn, error, fatal
 *   component  which process: coordinator, worker, trainer
 *   version    of the package
 *   host, pid  where
 *   msg        what happened, a sentence without figures; figures are fields
 * and, where they apply, always under these names: worker and session (on every line of a worker), epoch (on a coordinator's
 * lines once it has one), cell, lease (never `token`, which is redacted), sweep, reason, err, audit. Labels of a log system stay few: none of these is one.
 */
import { hostname } from "node:os";
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from "pino";
import { redact, REDACTED, SECRET_FIELDS } from "./redact.ts";
import { PACKAGE_VERSION } from "./version.ts";

export type { Logger };
export type LogLevel = "debug" | "info" | "warn" | "error";
export const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** The fields of every line. */
export const LOG_FIELDS = ["time", "level", "component", "version", "host", "pid", "msg"] as const;

export interface LogOptions {
  /** Which process: "coordinator", "worker", "trainer". */
  readonly component: string;
  readonly level: LogLevel;
  /** Standard error when left out. */
  readonly destination?: DestinationStream;
}

/** Secrets are kept out twice: by pino where a field of their name is an object, and by shape in the finished line. */
export function createLogger(options: LogOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { component: options.component, version: PACKAGE_VERSION, host: hostname(), pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`]),
        censor: REDACTED,
      },
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
