/** Numbers, durations and moments as people read them. */

/** "850 ms", "12.4 s", "3m 05s", "2h 07m", "4d 03h". */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${two(seconds % 60)}s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.round(ms / 3_600_000);
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Four significant digits, without a tail of zeros: 0.0312, 12.35, 1.2e+9. */
export function formatFigure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(4)));
}

/** "2026-11-22T21:39:29.123Z" */
export const formatInstant = (epochMs: number): string => new Date(epochMs).toISOString();

/** "21:39:29.123", in local time. */
export function formatClockTime(epochMs: number): string {
  const time = new Date(epochMs);
  const ms = String(time.getMilliseconds()).padStart(3, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${ms}`;
}

const CONTROL = new RegExp(String.raw`[\u0000-\u001f\u007f-\u009f]`, "g");

/** Text of others without control characters: a log line must not move a terminal's cursor. */
export const printable = (text: string): string => text.replaceAll(CONTROL, " ");

/** Cuts to so many columns, marking that it was cut. */
export function fit(text: string, columns: number): string {
  const points = Array.from(text);
  if (points.length <= columns) return text;
  return columns <= 3 ? points.slice(0, columns).join("") : `${points.slice(0, columns - 3).join("")}...`;
}

/** "1 cell", "3 cells" */
export const count = (value: number, noun: string): string => `${value} ${noun}${value === 1 ? "" : "s"}`;
