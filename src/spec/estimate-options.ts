/**
 * The fields of the tiered estimate section as the options of a function call: the same names, ranges and defaults as in a sweep
 * file (`estimate-section.ts`), without those that speak of a catalogue's data and parameters. Every mistake is reported.
 */
import type { EstimateConfig } from "./cell.ts";
import { ESTIMATE_NAMES, estimateConfigOf, tieredSchema } from "./estimate-section.ts";
import { fieldsOf, type Field, type FieldValue } from "./field.ts";
import { nearestOf } from "./nearest.ts";

/** How a learning coefficient is estimated. Every field may be left out. */
export interface EstimateOptions {
  /**
   * `A`: Metropolis-adjusted Hamiltonian Monte Carlo on a fixed subset, no bias by steps. `B`: minibatch Langevin with control
   * variates, its bias extrapolated away. Default `auto`: A up to 4,096 samples and 10^6 weights.
   */
  readonly tier?: "auto" | "A" | "B" | undefined;
  /** Sampling chains, 1 to 64. Default 4. */
  readonly chains?: number | undefined;
  /** Gradients of each chain, at the most, 20 to 10^7; the first 40 % are warm-up. Default 2500. */
  readonly budget?: number | undefined;
  /** Tier A: mean leapfrog steps of a proposal, 1 to 1000. Default 20. */
  readonly trajectory?: number | undefined;
  /** Relative standard error of lambda-hat at which tier A stops, and that the verdict asks for, 0.001 to 1. Default 0.1. */
  readonly tolerance?: number | undefined;
  /** Tier A: samples of the fixed subset, at least 2. Default `auto`: all up to 4,096. */
  readonly subset?: number | "auto" | "all" | undefined;
  /** Tier B: samples of a minibatch. Default `auto`: all up to 256, 128 above. */
  readonly batch?: number | "auto" | "all" | undefined;
  /** t = n beta, inverse temperature times samples. Default `auto`: n / ln n. */
  readonly nBeta?: number | "auto" | undefined;
  /** Strength of the pull to w0, (gamma/2) |w - w0|^2. `relative`: d / (rho^2 |w0|^2). Default 1. */
  readonly gamma?: number | "relative" | undefined;
  /** Relative size of the neighbourhood where gamma is `relative`. Default 0.2. */
  readonly rho?: number | undefined;
  /** Step size epsilon. Default `auto`: learned on acceptance (A), or from curvature and noise (B). */
  readonly stepSize?: number | "auto" | undefined;
  /** Default `auto`: weights that are no minimum are brought to the one beside them first, and the result says so. */
  readonly refine?: "auto" | "never" | undefined;
  /** Further estimates at factors on t and on gamma, up to 16 each: `{ nBeta: [0.25, 1, 4] }` gives a multiplicity. Default none. */
  readonly curve?:
    | {
        readonly nBeta?: readonly number[] | "none" | undefined;
        readonly gamma?: readonly number[] | "none" | undefined;
      }
    | undefined;
}

/** Fields of the section that ask for a catalogue's architecture or data. */
const NOT_OFFERED: readonly string[] = ["estimand", "distance", "inputs", "parameters", "rows", "kernelRows"];
/** A long value is cut in a message. */
const LONGEST_SHOWN = 60;

const FIELDS: ReadonlyMap<string, Field> = fieldsOf(tieredSchema, ESTIMATE_NAMES);
const OFFERED = [...FIELDS.keys()].filter((name) => !NOT_OFFERED.includes(name));
/** The keys of an object of options; those of `curve` are one. */
const KEYS = [...new Set(OFFERED.map((name) => name.split(".")[0]!))];

/**
 * @param given an object of options, unchecked
 * @param others its keys that are no options of an estimate
 * @param problems takes every mistake, a sentence each
 * @returns undefined where there is one
 */
export function readEstimateOptions(
  given: Readonly<Record<string, unknown>>,
  others: readonly string[],
  samples: number,
  problems: string[],
): EstimateConfig | undefined {
  const before = problems.length;
  const flat = new Map<string, unknown>();
  for (const [key, value] of Object.entries(given)) {
    if (others.includes(key)) continue;
    if (!KEYS.includes(key)) problems.push(unknownText(key, [...KEYS, ...others]));
    else if (key === "curve") readCurve(value, flat, problems);
    else flat.set(key, value);
  }
  const values: Record<string, FieldValue> = {};
  for (const [name, field] of FIELDS) values[name] = valueOf(field, flat.get(name), problems);
  return problems.length > before ? undefined : estimateConfigOf("tiered", values, samples);
}

function readCurve(given: unknown, flat: Map<string, unknown>, problems: string[]): void {
  if (given === undefined) return;
  const inner = OFFERED.filter((name) => name.startsWith("curve."));
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    problems.push(`curve cannot be ${shownValue(given)}: an object like { nBeta: [0.25, 1, 4] }`);
    return;
  }
  for (const [key, value] of Object.entries(given)) {
    const name = `curve.${key}`;
    if (inner.includes(name)) flat.set(name, value);
    else problems.push(unknownText(name, inner));
  }
}

function valueOf(field: Field, given: unknown, problems: string[]): FieldValue {
  if (given === undefined) return field.preset ?? null;
  const checked = field.check(given);
  if (checked !== undefined) return checked.value;
  const meant = typeof given === "string" ? nearestOf(given, field.words) : undefined;
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  problems.push(`${field.name} cannot be ${shownValue(given)}: ${field.accepted}${hint}`);
  return null;
}

function unknownText(name: string, known: readonly string[]): string {
  const meant = nearestOf(name, known);
  return `there is no option ${name}: ${meant === undefined ? `one of ${known.join(", ")}` : `did you mean ${meant}?`}`;
}

/** A value as a message shows it; unlike JSON it tells NaN from null. */
export function shownValue(value: unknown): string {
  if (typeof value === "number" || value === undefined) return String(value);
  if (typeof value !== "object" && typeof value !== "string" && typeof value !== "boolean") return `a ${typeof value}`;
  const text = JSON.stringify(value);
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}
