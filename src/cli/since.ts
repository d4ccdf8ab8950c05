/** A moment as a user gives it: an age ("90s", "10m", "2h", "3d") or an ISO time. */
import { OccamError } from "../core/errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Epoch milliseconds. */
export function parseSince(text: string, nowMs: number): number {
  const age = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text);
  if (age !== null) return Math.round(nowMs - Number(age[1]) * UNIT_MS[age[2]!]!);
  const moment = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new OccamError("bad-usage", `"${text}" is no moment`, {
    where: "--since",
    hint: "Give an age, like 90s, 10m, 2h or 3d, or a time, like 2026-11-22T21:00:00Z.",
  });
}
