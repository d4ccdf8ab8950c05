/** Log lines <-> the records that they travel in. */
import type { LogRecord } from "../../proto/gen/occam/v1/common.ts";
import type { LogLevel } from "../core/log.ts";
import { redact } from "../core/redact.ts";
import { logLevel } from "./enums.ts";

export type LogFields = Readonly<Record<string, unknown>>;

export interface LogEntry {
  /** Epoch milliseconds. */
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: LogFields | undefined;
}

export function logToWire({ timeMs, level, message, fields }: LogEntry): LogRecord {
  return {
    timeMs: BigInt(Math.max(0, Math.round(timeMs))),
    level: logLevel.toWire(level),
    message: redact(message),
    fieldsJson: redact(fieldsText(fields)),
  };
}

/** Fields that are no JSON object are given as `{"unreadable": text}`: a log line is never refused. */
export function logFromWire({ timeMs, level, message, fieldsJson }: LogRecord): LogEntry {
  const fields = fieldsJson === "" ? undefined : fieldsOf(fieldsJson);
  return {
    timeMs: Number(timeMs),
    level: logLevel.fromWire(level),
    message,
    ...(fields === undefined ? {} : { fields }),
  };
}

/** Whatever is logged must not end the run: what JSON cannot hold is written as text. */
function fieldsText(fields: LogFields | undefined): string {
  if (fields === undefined || Object.keys(fields).length === 0) return "";
  try {
    return JSON.stringify(fields, (_key, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
  } catch {
    return JSON.stringify({ unreadable: Object.keys(fields).join(", ") });
  }
}

function fieldsOf(text: string): LogFields {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as LogFields;
  } catch {
    // Below.
  }
  return { unreadable: text };
}
