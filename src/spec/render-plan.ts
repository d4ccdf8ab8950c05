/** A plan as a table for a terminal. */
import type { AxisInfo } from "./columns.ts";
import type { Plan } from "./plan.ts";

/** Groups that are listed; the others are counted in one line. */
const LISTED_GROUPS = 20;
/** Values of an axis that are listed. */
const LISTED_VALUES = 6;

export function renderPlan(plan: Plan): string {
  const number = plan.exact ? count : aboutCount;
  const lines = [
    `sweep       ${plan.name}`,
    `grid        ${count(plan.gridSize)} points`,
    `cells       ${number(plan.cells)}${plan.cached === undefined ? "" : `, ${number(plan.cached)} cached`}`,
  ];
  if (!plan.exact) lines.push(`            estimated from ${count(plan.sampledPoints)} sampled points`);
  lines.push("", "axes", ...plan.axes.map(axisLine));
  lines.push("", ...groupTable(plan));
  lines.push(
    "",
    `training    ${flopText(plan.totals.trainFlops)}`,
    `estimates   ${flopText(plan.totals.estimateFlops)}`,
    `largest     ${count(plan.totals.largestParameters)} parameters a cell, ${byteText(plan.totals.largestBytes)} a program`,
    "",
    "time with one worker (estimates: your machine differs, early stops are not counted)",
    ...table(
      plan.times.map(({ backend, seconds, gigaflopsPerSecond }) => [
        `  ${backend}`,
        durationText(seconds),
        `at ${gigaflopsPerSecond} GFLOP/s`,
      ]),
    ),
  );
  return `${lines.join("\n")}\n`;
}

function axisLine({ path, values }: AxisInfo): string {
  if (values === undefined) return `  ${path}`;
  const shown = values.slice(0, LISTED_VALUES).map(valueText).join(", ");
  return `  ${path}: ${shown}${values.length > LISTED_VALUES ? `, ... (${values.length})` : ""}`;
}

function valueText(value: unknown): string {
  return typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);
}

function groupTable(plan: Plan): string[] {
  const number = plan.exact ? count : aboutCount;
  const header = ["fuse group", "cells", "shards x width", "parameters", "work", "memory", "what its cells share"];
  const listed = plan.fuseGroups.slice(0, LISTED_GROUPS);
  const rows = listed.map((group) => [
    group.fuseKey.slice(0, 8),
    number(group.cells),
    group.widths.map(({ width, shards }) => `${number(shards)} x ${width}`).join(", "),
    count(group.parameters),
    flopText(group.flops),
    byteText(group.bytes),
    group.label,
  ]);
  const more = plan.fuseGroups.length - listed.length;
  const rest = plan.exact ? `... and ${more} more` : `... and ${more} more were seen; there may be others`;
  return [...table([header, ...rows]), ...(more > 0 ? [rest] : [])];
}

/** Columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd(),
  );
}

/** Digits in groups of three. */
export function count(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(?:\d{3})+(?!\d))/gu, ",");
}

/** An estimate: three digits. */
function aboutCount(value: number): string {
  return `about ${count(Number(value.toPrecision(3)))}`;
}

function scaled(value: number, units: readonly string[], step: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= step && unit < units.length - 1) {
    rest /= step;
    unit += 1;
  }
  return `${rest >= 100 || unit === 0 ? rest.toFixed(0) : rest.toFixed(1)} ${units[unit]}`;
}

export const flopText = (flops: number): string =>
  scaled(flops, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"], 1000);

const byteText = (bytes: number): string => scaled(bytes, ["B", "KiB", "MiB", "GiB", "TiB"], 1024);

/** "12 s", "3 min", "5.2 h", "40 days", "3 years". */
export function durationText(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0)} s`;
  if (seconds < 90 * 60) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 36 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  return seconds < 2 * 365 * 86_400 ? `${count(seconds / 86_400)} days` : `${count(seconds / (365 * 86_400))} years`;
}
