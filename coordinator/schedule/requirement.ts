/**
 * What a sweep requires of the workers that run it: "backend=wasm", "memory>=8GiB", or a label that a worker was started with,
 * "zone=a". Pure.
 */
import { OccamError } from "../../src/core/errors.ts";

/** A worker, as far as it can be required. */
export interface Offer {
  readonly backend: string;
  readonly memoryBytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Requirement {
  /** As it was written. */
  readonly text: string;
  isMet(offer: Offer): boolean;
}

const UNITS: Readonly<Record<string, number>> = { "": 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const PATTERN = /^([A-Za-z][\w.-]{0,62})(>=|=)(.{1,200})$/u;

/** @throws "bad-usage" for a text that is none */
export function parseRequirement(text: string): Requirement {
  const [, name = "", relation = "", value = ""] = PATTERN.exec(text) ?? [];
  if (name === "") throw unreadable(text, "it is written NAME=VALUE");
  if (name === "memory") return memoryAtLeast(text, relation, value);
  if (relation !== "=") throw unreadable(text, "only memory can be asked for with >=");
  if (name === "backend") return { text, isMet: ({ backend }) => backend === value };
  return { text, isMet: ({ labels }) => labels[name] === value };
}

function memoryAtLeast(text: string, relation: string, value: string): Requirement {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([KMGT]iB)?$/u.exec(value) ?? [];
  if (relation !== ">=" || number === "") throw unreadable(text, "memory is asked for as memory>=8GiB");
  const bytes = Number(number) * UNITS[unit]!;
  return { text, isMet: ({ memoryBytes }) => memoryBytes >= bytes };
}

function unreadable(text: string, why: string): OccamError {
  return new OccamError("bad-usage", `the requirement "${text}" cannot be read: ${why}`, {
    hint: "examples: backend=wasm, memory>=8GiB, zone=a",
  });
}

/** Those that the worker does not meet. */
export function unmet(requirements: readonly Requirement[], offer: Offer): readonly string[] {
  return requirements.filter((requirement) => !requirement.isMet(offer)).map(({ text }) => text);
}
