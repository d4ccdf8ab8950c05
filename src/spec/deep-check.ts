/**
 * The checks that need whole points: combinations of fields that a schema, a dataset or an architecture refuses, batches
 * larger than the data, conditions that have no value. A small grid is checked point by point. A large one is checked at
 * every pair of data and architecture variants and at points drawn at random; what they miss is found when it is reached.
 */
import { messageOf, OccamError } from "../core/errors.ts";
import type { Config, Start, Task } from "../catalogue/entry.ts";
import { architectureOf, datasetOf } from "../catalogue/registry.ts";
import type { Expression } from "./expression.ts";
import { placeOf, type IndexedSubGrid, type Place } from "./grid.ts";
import type { Findings } from "./problem.ts";
import { contextOf, draftOf, type Draft, type Rules } from "./resolve.ts";
import { samplePoints } from "./sample.ts";
import { SECTION_NAMES, type SectionName } from "./sections.ts";
import { startProblem, type StartProblem } from "./start.ts";
import { offsetOfField, type Variant } from "./variant.ts";

/** Grids up to this size are checked point by point. */
export const EXACT_CHECK_POINTS = 20_000;

export function checkPoints(grids: readonly IndexedSubGrid[], rules: Rules, findings: Findings, whereAt: number): void {
  const total = grids.reduce((sum, grid) => sum + grid.size, 0);
  const isExact = total <= EXACT_CHECK_POINTS;
  const checker = new PointChecker(rules, findings);
  let isWhole = true;
  for (const grid of grids) {
    if (!hasPoints(grid)) {
      isWhole = false;
      continue;
    }
    for (const index of samplePoints(grid, isExact ? undefined : EXACT_CHECK_POINTS / grids.length)) {
      checker.check(grid, index);
    }
  }
  if (isExact && isWhole && checker.kept === 0 && findings.count === 0) {
    findings.add(whereAt, `where leaves none of the ${total} points`);
  }
}

function hasPoints(grid: IndexedSubGrid): boolean {
  return grid.size > 0 && SECTION_NAMES.every((section) => grid.subGrid.sections[section].length > 0);
}

class PointChecker {
  readonly #rules: Rules;
  readonly #findings: Findings;
  /** What was looked at already: the same fields give the same answer. */
  readonly #seen = new Set<string>();
  /** One report for each variant and subject, whatever the values of its axes. */
  readonly #reported = new Map<Variant, Set<unknown>>();
  readonly #failed = new Set<Expression>();
  kept = 0;

  constructor(rules: Rules, findings: Findings) {
    this.#rules = rules;
    this.#findings = findings;
  }

  check(grid: IndexedSubGrid, index: number): void {
    const place = placeOf(grid, index);
    if (SECTION_NAMES.some((section) => !place.variants[section].isComplete)) return;
    const draft = this.#draft(place);
    if (draft === undefined || !this.#isKept(draft)) return;
    this.kept += 1;
    const schemasHold = SECTION_NAMES.map((section) => this.#checkSchema(draft, section)).every(Boolean);
    if (schemasHold) this.#checkTask(draft);
  }

  #draft(place: Place): Draft | undefined {
    const overrides = this.#rules.overrides.filter(({ when }) => !this.#failed.has(when));
    for (;;) {
      try {
        return draftOf(place, { ...this.#rules, overrides });
      } catch (error) {
        const bare = draftOf(place, { ...this.#rules, overrides: [] });
        const culprit = overrides.findIndex(({ when }) => this.#fails(when, bare));
        if (culprit < 0) throw error;
        overrides.splice(culprit, 1);
      }
    }
  }

  #isKept(draft: Draft): boolean {
    if (this.#rules.where.length === 0) return true;
    const context = contextOf(draft, this.#rules);
    return this.#rules.where.every((expression) => {
      if (this.#failed.has(expression)) return true;
      try {
        return expression.test(context);
      } catch (error) {
        this.#reportExpression(expression, error);
        return true;
      }
    });
  }

  #fails(expression: Expression, draft: Draft | undefined): boolean {
    try {
      if (draft !== undefined) expression.test(contextOf(draft, this.#rules));
      return false;
    } catch (error) {
      this.#reportExpression(expression, error);
      return true;
    }
  }

  #reportExpression(expression: Expression, error: unknown): void {
    this.#failed.add(expression);
    const summary = (error as { summary?: string }).summary ?? messageOf(error).split("\n")[0]!;
    this.#findings.add(
      expression.offset,
      `the expression has no value for some points: ${summary}`,
      "a field that a variant does not have is null: guard it, as in architecture.degree != null && ...",
    );
  }

  /** The whole configuration of a section: rules between fields, and what scale folded in. */
  #checkSchema(draft: Draft, section: SectionName): boolean {
    const variant = draft.place.variants[section];
    if (variant.kind.schema === undefined) return true;
    const values = draft.values[section];
    const key = `${section} ${variant.kind.kind} ${JSON.stringify(values)}`;
    if (this.#seen.has(`${key} bad`)) return false;
    if (this.#seen.has(key)) return true;
    const parsed = variant.kind.schema.safeParse(values);
    this.#seen.add(parsed.success ? key : `${key} bad`);
    for (const issue of parsed.error?.issues ?? []) {
      const field = String(issue.path[0] ?? "");
      if (this.#wasReported(variant, field)) continue;
      const offset = fieldOffset(draft, section, field);
      const path = field === "" ? section : `${section}.${field}`;
      const accepted = variant.kind.fields.get(field)?.accepted;
      const what = field === "" ? "its fields contradict each other" : `it cannot be ${JSON.stringify(values[field])}`;
      this.#findings.add(offset, `${path} of ${variant.kind.kind}: ${what}: ${issue.message}`, accepted);
    }
    return parsed.success;
  }

  #checkTask(draft: Draft): void {
    const { data, architecture } = draft.place.variants;
    const dataConfig = configOf(data, draft.values.data);
    const config = configOf(architecture, draft.values.architecture);
    const batches = [draft.values.train["batch"], draft.values.estimate["batch"]];
    const start = (draft.values.train["start"] ?? "random") as Start;
    const key = JSON.stringify([dataConfig, config, batches, start]);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    const task = this.#task(draft, dataConfig);
    if (task === undefined) return;
    this.#checkBatch(draft, "train", task);
    this.#checkBatch(draft, "estimate", task);
    this.#checkStart(draft, startProblem(config, dataConfig, start));
    const reason = architectureOf(config).unsupported(config, task);
    if (reason === undefined || this.#wasReported(architecture, data)) return;
    this.#findings.add(
      architecture.offset,
      `${config.kind} cannot learn ${dataConfig.kind}: ${reason}`,
      `another architecture or other data, or leave it out: where: "!(architecture.kind == '${config.kind}' && data.kind == '${dataConfig.kind}')"`,
    );
  }

  #task(draft: Draft, config: Config): Task | undefined {
    try {
      return datasetOf(config).task(config);
    } catch (error) {
      const field = error instanceof OccamError ? (error.where?.split(".")[1] ?? "") : "";
      if (this.#wasReported(draft.place.variants.data, field)) return undefined;
      this.#findings.add(fieldOffset(draft, "data", field), messageOf(error));
      return undefined;
    }
  }

  #checkStart(draft: Draft, problem: StartProblem | undefined): void {
    if (problem === undefined) return;
    const { section, message, accepted } = problem;
    if (this.#wasReported(draft.place.variants[section], message)) return;
    const field = section === "train" ? "start" : "";
    this.#findings.add(fieldOffset(draft, section, field), message, accepted);
  }

  #checkBatch(draft: Draft, section: "train" | "estimate", task: Task): void {
    const batch = draft.values[section]["batch"];
    if (typeof batch !== "number" || batch <= task.trainRows) return;
    if (this.#wasReported(draft.place.variants[section], draft.place.variants.data)) return;
    const kind = draft.place.variants.data.kind.kind;
    this.#findings.add(
      fieldOffset(draft, section, "batch"),
      `${section}.batch ${batch} is more than the ${task.trainRows} training rows of ${kind}`,
      `at most ${task.trainRows}, or auto`,
    );
  }

  #wasReported(variant: Variant, subject: unknown): boolean {
    const known = this.#reported.get(variant) ?? new Set<unknown>();
    this.#reported.set(variant, known);
    if (known.has(subject)) return true;
    known.add(subject);
    return false;
  }
}

function configOf(variant: Variant, values: Readonly<Record<string, unknown>>): Config {
  return { kind: variant.kind.kind, ...(values as Record<string, string>) };
}

/** Where a point's field stands: in its variant, or in the scale that it was folded from. */
function fieldOffset(draft: Draft, section: SectionName, field: string): number {
  const variant = draft.place.variants[section];
  const { scale } = draft.place.variants;
  const isScaled = !variant.written.has(field) && scale.written.has(field);
  return isScaled ? offsetOfField(scale, field) : offsetOfField(variant, field);
}
