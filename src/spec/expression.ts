/**
 * Conditions of a sweep file in CEL (the Common Expression Language): `where` and `when`. Expressions are data: they have no
 * loops, no effects, and no names but the sections of a point.
 *
 * How a point reads in an expression:
 * 1. `architecture.kind`, `optimizer.learningRate`, `scale.width`, `train.steps`, `estimate.sampler`, `seed`, `replicate`;
 * 2. a field that the point's variant does not have, or that is `auto`, is null; null is neither below nor above anything;
 * 3. numbers are numbers: `16`, `16.0` and a width of 16 are equal, and `3 / 2` of fields is 1.5.
 *
 * Names and texts are checked against the sweep when it is read: a misspelt field or kind would silently match nothing.
 */
import { Environment, type ParseResult } from "@marcbachmann/cel-js";
import type { Field } from "./field.ts";
import { shown, type Findings } from "./problem.ts";
import type { ScalarNode } from "./source-tree.ts";

/** What expressions may name: the fields of each section's variants, and what each may be. */
export interface Vocabulary {
  /** By section: field path to its definitions in the kinds that have it. `kind` and `sampler` are among them. */
  readonly fields: ReadonlyMap<string, ReadonlyMap<string, readonly Field[]>>;
  /** Further variables, of any type. */
  readonly variables: readonly string[];
}

export type PointContext = Readonly<Record<string, unknown>>;

export interface Expression {
  /** As it was written. */
  readonly text: string;
  readonly offset: number;
  /** Throws where the expression has no value for a point ("no such overload: ..."). */
  test(context: PointContext): boolean;
}

/** The parts of cel-js's syntax tree that are read here. */
interface AstNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
}

interface CelError extends Error {
  readonly code?: string;
  readonly summary?: string;
  readonly range?: { readonly start: number };
}

/** Conditions are a line or two; they are evaluated for every point of a grid. */
const CEL_LIMITS = {
  maxAstNodes: 5_000,
  maxDepth: 100,
  maxListElements: 256,
  maxMapEntries: 256,
  maxCallArguments: 16,
};

/** CEL keeps int and double apart; a user's numbers are one type. Literals are ints, fields are doubles. */
function environment(vocabulary: Vocabulary): Environment {
  const env = new Environment({ homogeneousAggregateLiterals: false, limits: CEL_LIMITS });
  const arithmetic: readonly [string, (left: number, right: number) => number][] = [
    ["+", (left, right) => left + right],
    ["-", (left, right) => left - right],
    ["*", (left, right) => left * right],
    ["/", (left, right) => left / right],
    ["%", (left, right) => left % right],
  ];
  for (const [operator, apply] of arithmetic) {
    const mixed = (left: unknown, right: unknown): number => apply(Number(left), Number(right));
    env.registerOperator(`double ${operator} int`, mixed);
    env.registerOperator(`int ${operator} double`, mixed);
    if (operator === "%") env.registerOperator("double % double", mixed);
  }
  for (const operator of ["<", "<=", ">", ">="]) {
    for (const type of ["int", "double", "string", "bool"]) {
      env.registerOperator(`null ${operator} ${type}`, () => false);
      env.registerOperator(`${type} ${operator} null`, () => false);
    }
  }
  for (const section of vocabulary.fields.keys()) env.registerVariable(section, "map");
  for (const variable of vocabulary.variables) env.registerVariable(variable, "dyn");
  return env;
}

/** Compiles expressions over one vocabulary; every mistake of each is reported. */
export class ExpressionReader {
  readonly #vocabulary: Vocabulary;
  readonly #environment: Environment;
  readonly #findings: Findings;

  constructor(vocabulary: Vocabulary, findings: Findings) {
    this.#vocabulary = vocabulary;
    this.#environment = environment(vocabulary);
    this.#findings = findings;
  }

  /** @param name "where", "overrides[0].when": for messages */
  read(node: ScalarNode, name: string): Expression | undefined {
    if (typeof node.value !== "string" || node.value.trim() === "") {
      this.#findings.add(node.offset, `${name} takes a CEL expression`, "for example \"optimizer.kind != 'adam'\"");
      return undefined;
    }
    const before = this.#findings.count;
    const parsed = this.#parse(node, name);
    if (parsed === undefined) return undefined;
    const ast = parsed.ast as unknown as AstNode;
    this.#checkNames(ast, boundNames(ast), node, name);
    if (macroDepth(ast) > MACRO_DEPTH) {
      this.#findings.add(node.offset, `${name} has more than ${MACRO_DEPTH} macros inside each other`);
    }
    if (this.#findings.count > before) return undefined;
    const checked = parsed.check();
    if (!checked.valid) {
      this.#reportCel(checked.error as CelError, node, name);
      return undefined;
    }
    if (checked.type !== "bool" && checked.type !== "dyn") {
      this.#findings.add(node.offset, `${name} gives a ${checked.type}`, "an expression that is true or false");
      return undefined;
    }
    return { text: node.value, offset: node.offset, test: (context) => truth(parsed(context)) };
  }

  #parse(node: ScalarNode, name: string): ParseResult | undefined {
    try {
      return this.#environment.parse(node.value as string);
    } catch (error) {
      this.#reportCel(error as CelError, node, name);
      return undefined;
    }
  }

  #reportCel(error: CelError, node: ScalarNode, name: string): void {
    const offset = node.offsetOf(error.range?.start ?? 0);
    const summary = error.summary ?? error.message.split("\n")[0]!;
    const unknown = /^Unknown variable: (.+)$/u.exec(summary)?.[1];
    if (unknown === undefined) this.#findings.add(offset, `${name} is not valid CEL: ${summary}`);
    else this.#reportVariable(unknown, offset, name);
  }

  #reportVariable(variable: string, offset: number, name: string): void {
    const hint = variable === "seed" ? " (the seeds of replicates are derived; number them by replicate)" : "";
    this.#findings.addUnknown(offset, `${name}: no variable is named "${variable}"${hint}`, variable, this.#names());
  }

  #names(): string[] {
    return [...this.#vocabulary.fields.keys(), ...this.#vocabulary.variables];
  }

  /** Every `section.field` must exist, and a text that it is compared with must be one that it can be. */
  #checkNames(ast: AstNode, bound: ReadonlySet<string>, node: ScalarNode, name: string): void {
    const path = pathOf(ast);
    if (path !== undefined) {
      if (!bound.has(path.names[0]!)) this.#checkPath(path, node, name);
      return;
    }
    if (ast.op === "call" && (ast.args as [string])[0] === "has") {
      this.#findings.add(
        node.offsetOf(ast.start),
        `${name}: has() is always true here: a field that a variant does not have is null`,
        "a comparison with null: architecture.degree != null",
      );
    }
    if (ast.op === "rcall" && (ast.args as [string])[0] === "matches") {
      this.#findings.add(
        node.offsetOf(ast.start),
        `${name}: matches() is not taken: a regular expression may run for ever`,
        "==, in, startsWith(), endsWith() or contains()",
      );
    }
    const children = childrenOf(ast);
    if (ast.op === "==" || ast.op === "!=" || ast.op === "in") this.#checkTexts(children, node, name);
    for (const child of children) this.#checkNames(child, bound, node, name);
  }

  #checkPath(path: Path, node: ScalarNode, name: string): void {
    const [section, ...rest] = path.names;
    const offset = node.offsetOf(path.start);
    const fields = this.#vocabulary.fields.get(section!);
    if (fields === undefined) {
      const isKnown = this.#names().includes(section!);
      if (!isKnown) this.#reportVariable(section!, offset, name);
      return;
    }
    const field = rest.join(".");
    const isPrefix = [...fields.keys()].some((known) => known.startsWith(`${field}.`));
    if (rest.length === 0 || fields.has(field) || isPrefix) return;
    this.#findings.addUnknown(offset, `${name}: no ${section} of this sweep has a field "${field}"`, field, [
      ...fields.keys(),
    ]);
  }

  #checkTexts(sides: readonly AstNode[], node: ScalarNode, name: string): void {
    for (const [side, other] of [sides, sides.toReversed()]) {
      const path = side === undefined ? undefined : pathOf(side);
      if (path === undefined || other === undefined) continue;
      const fields = this.#vocabulary.fields.get(path.names[0]!)?.get(path.names.slice(1).join("."));
      if (fields === undefined) continue;
      for (const literal of literalsOf(other)) this.#checkText(literal, path.names.join("."), fields, node, name);
    }
  }

  #checkText(literal: AstNode, path: string, fields: readonly Field[], node: ScalarNode, name: string): void {
    if (typeof literal.args !== "string") return;
    const word = literal.args;
    // A list has one text; another way to write the same list would never be equal to it.
    if (fields.some((field) => field.check(word)?.value === word)) return;
    const offset = node.offsetOf(literal.start);
    const words = [...new Set(fields.flatMap((field) => field.words))];
    const message = `${name}: ${path} is never ${shown(word)}`;
    if (words.length > 0) this.#findings.addUnknown(offset, message, word, words);
    else this.#findings.add(offset, message, fields[0]!.accepted);
  }
}

function truth(value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError(`it gives ${shown(value)}, which is neither true nor false`);
  return value;
}

interface Path {
  readonly names: readonly string[];
  readonly start: number;
}

/** `a.b.c` or `a["b"]`, as names; undefined for anything else. */
function pathOf(ast: AstNode): Path | undefined {
  if (ast.op === "id") return { names: [ast.args as string], start: ast.start };
  if (ast.op !== "." && ast.op !== "[]") return undefined;
  const [inner, key] = ast.args as [AstNode, string | AstNode];
  const name =
    typeof key === "string" ? key : key.op === "value" && typeof key.args === "string" ? key.args : undefined;
  const path = pathOf(inner);
  return path === undefined || name === undefined ? undefined : { names: [...path.names, name], start: path.start };
}

function isNode(value: unknown): value is AstNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value;
}

function childrenOf(ast: AstNode): AstNode[] {
  const found: AstNode[] = [];
  const visit = (value: unknown): void => {
    if (isNode(value)) found.push(value);
    else if (Array.isArray(value)) value.forEach(visit);
  };
  visit(ast.args);
  return found;
}

/** Macros that bind their first argument: `[1, 2].exists(x, x == scale.width)`. */
const BINDING_MACROS = new Set(["all", "exists", "exists_one", "map", "filter"]);

/** Each level multiplies the work of one point by the length of a list. */
const MACRO_DEPTH = 2;

function macroDepth(ast: AstNode): number {
  const inner = Math.max(0, ...childrenOf(ast).map(macroDepth));
  const isMacro = ast.op === "rcall" && BINDING_MACROS.has((ast.args as [string])[0]);
  return isMacro ? inner + 1 : inner;
}

function boundNames(ast: AstNode): ReadonlySet<string> {
  const bound = new Set<string>();
  const visit = (node: AstNode): void => {
    if (node.op === "rcall") {
      const [macro, , params] = node.args as [string, AstNode, AstNode[]];
      const [first] = params;
      if (BINDING_MACROS.has(macro) && first?.op === "id") bound.add(first.args as string);
    }
    childrenOf(node).forEach(visit);
  };
  visit(ast);
  return bound;
}

function literalsOf(ast: AstNode): AstNode[] {
  if (ast.op === "value") return [ast];
  return ast.op === "list" ? childrenOf(ast).filter((child) => child.op === "value") : [];
}
