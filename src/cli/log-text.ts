/** A log line as JSON for scripts and as text for people. */
import type { TailLogsResponse } from "../../proto/gen/occam/v1/operator.ts";
import { shortId } from "../core/ids.ts";
import type { LogLevel } from "../core/log.ts";
import { formatClockTime, formatInstant, printable } from "./output/format.ts";
import type { Colour, Paint } from "./output/paint.ts";
import { required } from "./operator.ts";
import { levelName } from "./wire-names.ts";

const COLOURS: Readonly<Record<LogLevel, Colour>> = { debug: "dim", info: "cyan", warn: "yellow", error: "red" };

export function logJson(line: TailLogsResponse) {
  const record = required(line.record);
  return {
    time: formatInstant(Number(record.timeMs)),
    level: levelName(record.level),
    workerId: line.workerId,
    cellId: line.cellId,
    attempt: String(line.attemptToken),
    message: record.message,
    fields: fieldsOf(record.fieldsJson),
  };
}

/** "21:39:29.123 warn  w1 3fa9c0d1e2f3  message {"step":3}" */
export function logLine(line: TailLogsResponse, paint: Paint): string {
  const record = required(line.record);
  const level = levelName(record.level);
  const from = line.cellId === "" ? line.workerId : `${line.workerId} ${shortId(line.cellId)}`;
  const fields = record.fieldsJson === "" ? "" : ` ${paint("dim", printable(record.fieldsJson))}`;
  const time = paint("dim", formatClockTime(Number(record.timeMs)));
  return `${time} ${paint(COLOURS[level], level.padEnd(5))} ${printable(from)}  ${printable(record.message)}${fields}`;
}

function fieldsOf(json: string): unknown {
  if (json === "") return {};
  try {
    return JSON.parse(json);
  } catch {
    return { raw: json };
  }
}
