import { describe, expect, test } from "vitest";
import { EXIT_OF } from "../../../src/core/errors.ts";
import { SpecError } from "../../../src/spec/problem.ts";
import { SPEC_LIMIT_BYTES } from "../../../src/spec/spec-limit.ts";
import { parseSweep } from "../../../src/spec/sweep.ts";
import { problemsOf } from "./sweep-file.ts";

const HEAD = `version: 1
name: test
data: { kind: boolean, function: junta, inputs: 5, train: 16 }
`;
const GRID = `grid:
  architecture: { kind: mlp, depth: 1, width: 4 }
  optimizer: sgd
`;
const TRAIN = "train: { steps: 10, batch: 8 }\nestimate: none\n";

interface Case {
  readonly name: string;
  readonly text: string;
  readonly at: string;
  readonly says: RegExp;
  readonly accepted?: RegExp;
  readonly nearest?: string;
}

const CASES: readonly Case[] = [
  { name: "an unknown top-level key", text: `${HEAD}wher: x\n${GRID}`, at: "4:1", says: /"wher"/u, nearest: "where" },
  {
    name: "an unknown section",
    text: `${HEAD}${GRID}  optimiser: adam\n`,
    at: "7:3",
    says: /"optimiser"/u,
    nearest: "optimizer",
  },
  { name: "a missing version", text: HEAD.replace("version: 1\n", "") + GRID, at: "1:1", says: /no version/u },
  {
    name: "a version of the future",
    text: HEAD.replace("1", "2") + GRID,
    at: "1:10",
    says: /version cannot be 2/u,
    accepted: /^1$/u,
  },
  { name: "a name that ids cannot have", text: HEAD.replace("test", "My Test") + GRID, at: "2:7", says: /"My Test"/u },
  {
    name: "a missing section",
    text: HEAD + GRID.replace("  optimizer: sgd\n", ""),
    at: "5:3",
    says: /no optimizer/u,
    accepted: /adam/u,
  },
  {
    name: "an unknown kind",
    text: HEAD + GRID.replace("sgd", "adm"),
    at: "6:14",
    says: /"adm"/u,
    accepted: /adamw/u,
    nearest: "adam",
  },
  {
    name: "a mapping without a kind",
    text: HEAD + GRID.replace("kind: mlp", "knid: mlp"),
    at: "5:19",
    says: /"knid"/u,
    nearest: "kind",
  },
  {
    name: "an unknown field",
    text: HEAD + GRID.replace("width", "witdh"),
    at: "5:40",
    says: /mlp has no field "witdh"/u,
    nearest: "width",
  },
  {
    name: "a word for a number",
    text: HEAD + GRID.replace("width: 4", "width: wide"),
    at: "5:47",
    says: /"wide"/u,
    accepted: /an integer from 1/u,
  },
  {
    name: "a number out of range",
    text: HEAD + GRID.replace("width: 4", "width: 0"),
    at: "5:47",
    says: /cannot be 0/u,
    accepted: /from 1/u,
  },
  {
    name: "a number that is not finite",
    text: HEAD + GRID.replace("sgd", "{ kind: sgd, learningRate: .inf }"),
    at: "6:41",
    says: /cannot be \.inf/u,
  },
  {
    name: "a fraction for an integer",
    text: HEAD + GRID.replace("width: 4", "width: 4.5"),
    at: "5:47",
    says: /4\.5/u,
    accepted: /integer/u,
  },
  {
    name: "an unknown word",
    text: HEAD + GRID.replace("depth: 1", "activation: tahn"),
    at: "5:42",
    says: /"tahn"/u,
    accepted: /tanh, relu/u,
    nearest: "tanh",
  },
  { name: "an empty list", text: HEAD + GRID.replace("width: 4", "width: []"), at: "5:47", says: /empty list/u },
  { name: "an empty section", text: HEAD + GRID.replace("sgd", "[]"), at: "6:14", says: /empty list/u },
  {
    name: "a value twice",
    text: HEAD + GRID.replace("width: 4", "width: [4, 8, 4]"),
    at: "5:54",
    says: /has 4 twice/u,
  },
  {
    name: "a log range through zero",
    text: HEAD + GRID.replace("sgd", "{ kind: sgd, learningRate: { log: [0, 1, 3] } }"),
    at: "6:48",
    says: /above 0/u,
  },
  {
    name: "a range with two numbers",
    text: HEAD + GRID.replace("width: 4", "width: { linear: [1, 4] }"),
    at: "5:57",
    says: /three numbers/u,
  },
  {
    name: "a range with a broken count",
    text: HEAD + GRID.replace("width: 4", "width: { linear: [1, 4, 2.5] }"),
    at: "5:57",
    says: /count/u,
  },
  {
    name: "a range that leaves the field",
    text: HEAD + GRID.replace("width: 4", "width: { linear: [-3, 4, 8] }"),
    at: "5:57",
    says: /cannot be -3, value 1/u,
  },
  {
    name: "a range that rounds to one integer twice",
    text: HEAD + GRID.replace("width: 4", "width: { linear: [1, 3, 5] }"),
    at: "5:57",
    says: /same integer/u,
  },
  {
    name: "an unknown range",
    text: HEAD + GRID.replace("width: 4", "width: { lin: [1, 4, 2] }"),
    at: "5:49",
    says: /"lin"/u,
    nearest: "linear",
  },
  {
    name: "a range of words",
    text: HEAD + GRID.replace("depth: 1", "activation: { linear: [1, 4, 2] }"),
    at: "5:52",
    says: /not numeric/u,
  },
  { name: "a key twice", text: HEAD + GRID + TRAIN + "name: again\n", at: "9:1", says: /"?name"? stands twice/u },
  { name: "a negative seed", text: HEAD + GRID + "seed: -1\n", at: "7:7", says: /-1/u, accepted: /2\^64/u },
  {
    name: "a seed of 65 bits",
    text: HEAD + GRID + "seed: 18446744073709551616\n",
    at: "7:7",
    says: /18446744073709551616/u,
  },
  { name: "no replicates", text: HEAD + GRID + "seed: { replicates: 0 }\n", at: "7:21", says: /cannot be 0/u },
  {
    name: "a misspelt replicates",
    text: HEAD + GRID + "seed: { replicate: 2 }\n",
    at: "7:9",
    says: /"replicate"/u,
    nearest: "replicates",
  },
  {
    name: "a zip of lists of different lengths",
    text:
      HEAD +
      GRID.replace("width: 4", "width: [4, 8]") +
      "  train: { steps: [1, 2, 3] }\n  zip: [architecture.width, train.steps]\n",
    at: "8:8",
    says: /architecture.width has 2, train.steps has 3/u,
  },
  {
    name: "a zip of something fixed",
    text: HEAD + GRID.replace("width: 4", "width: [4, 8]") + "  zip: [architecture.width, train.steps]\n",
    at: "7:29",
    says: /"train.steps" is no axis/u,
  },
  {
    name: "an unknown variable",
    text: `${HEAD + GRID}where: "architectur.width > 3"\n`,
    at: "7:9",
    says: /"architectur"/u,
    nearest: "architecture",
  },
  {
    name: "a field that no variant has",
    text: `${HEAD + GRID}where: "true && architecture.widht > 3"\n`,
    at: "7:17",
    says: /"widht"/u,
    nearest: "width",
  },
  {
    name: "a text that a field never is",
    text: `${HEAD + GRID}where: "architecture.activation == 'rely'"\n`,
    at: "7:36",
    says: /never "rely"/u,
    nearest: "relu",
  },
  {
    name: "an expression that does not parse",
    text: `${HEAD + GRID}where: "architecture.width > "\n`,
    at: "7:30",
    says: /Unexpected token/u,
  },
  {
    name: "an expression that is no condition",
    text: `${HEAD + GRID}where: "1 + 1"\n`,
    at: "7:8",
    says: /gives a int/u,
  },
  {
    name: "an expression in a block, at its own line",
    text: `${HEAD + GRID}where: |\n  architecture.width > 3 &&\n    architectur.depth == 1\n`,
    at: "9:5",
    says: /"architectur"/u,
  },
  {
    name: "a where that leaves nothing",
    text: `${HEAD + GRID}where: architecture.width > 100\n`,
    at: "7:8",
    says: /none of the 1 points/u,
  },
  {
    name: "an override of an unknown field",
    text: `${HEAD + GRID}overrides: [{ when: "true", set: { train.step: 3 } }]\n`,
    at: "7:36",
    says: /"train.step"/u,
    nearest: "train.steps",
  },
  {
    name: "an override out of range",
    text: `${HEAD + GRID}overrides: [{ when: "true", set: { train.steps: -3 } }]\n`,
    at: "7:49",
    says: /-3/u,
  },
  {
    name: "an override without a condition",
    text: `${HEAD + GRID}overrides: [{ set: { train.steps: 3 } }]\n`,
    at: "7:13",
    says: /no condition/u,
  },
  {
    name: "a default that nothing has",
    text: `${HEAD + GRID}defaults: { optimizer: { momentum: 0.9 } }\n`,
    at: "7:26",
    says: /"momentum"/u,
  },
  {
    name: "a batch larger than the data",
    text: `${HEAD + GRID}train: { batch: 17 }\n`,
    at: "7:17",
    says: /17 is more than the 16 training rows/u,
  },
  {
    name: "an architecture that cannot learn the data",
    text: HEAD + GRID.replace("{ kind: mlp, depth: 1, width: 4 }", "transformer"),
    at: "5:17",
    says: /transformer cannot learn boolean/u,
  },
  {
    name: "fields of a dataset that contradict each other",
    text: HEAD.replace("inputs: 5", "inputs: 5, k: 9") + GRID,
    at: "3:55",
    says: /k is 9/u,
  },
  {
    name: "a field that is set in scale too",
    text: `${HEAD + GRID}  scale: { width: [4, 8] }\n`,
    at: "5:47",
    says: /scale\.width/u,
  },
  {
    name: "a scale that nothing has",
    text: `${HEAD + GRID}  scale: { degree: [1, 2] }\n`,
    at: "7:20",
    says: /no effect/u,
  },
  { name: "a scalar for the file", text: "42", at: "1:1", says: /cannot be 42/u },
  { name: "an empty file", text: "", at: "1:1", says: /empty/u },
  { name: "an alias without an anchor", text: `${HEAD + GRID}seed: *none\n`, at: "7:7", says: /alias|anchor/iu },
  { name: "a YAML tag", text: `${HEAD + GRID}seed: !env 3\n`, at: "7:7", says: /tags/u },
];

describe("a mistake is reported with its place, what is accepted and the nearest spelling:", () => {
  test.each(CASES)("$name", ({ text, at, says, accepted, nearest }) => {
    const problems = problemsOf(text);
    const found = problems.find((problem) => says.test(problem.message));
    expect(found, JSON.stringify(problems)).toBeDefined();
    expect(`${found!.line}:${found!.column}`).toBe(at);
    if (accepted !== undefined) expect(found!.accepted).toMatch(accepted);
    if (nearest !== undefined) expect(found!.nearest).toBe(nearest);
  });
});

const TEN = `version: 3
name: Ten Mistakes
data: { kind: boolean, function: junta, inputs: 5, train: 16 }
grid:
  architecture:
    - { kind: mlp, activation: tahn }
    - transformer
  optimizer:
    - { kind: sgd, learningRate: { log: [0, 1, 3] } }
    - admw
  regulariser: [none, { kind: l1, strenght: 0.1 }]
  scale: { width: [] }
train: { steps: -5, batch: 100 }
where: "architecture.kind == 'mpl' || optimizr.kind == 'sgd'"
estimate: { chains: 4, budget: 500
`;

describe("one run reports every mistake", () => {
  test("of a file with twelve and a syntax error, in the order of the file", () => {
    const places = problemsOf(TEN).map(({ line, column }) => `${line}:${column}`);
    const expected = [
      "1:10",
      "2:7",
      "6:32",
      "7:7",
      "9:41",
      "10:7",
      "11:35",
      "12:19",
      "13:17",
      "13:28",
      "14:30",
      "14:39",
    ];
    expect(places.slice(0, expected.length)).toEqual(expected);
    expect(places).toHaveLength(expected.length + 1);
    expect(problemsOf(TEN).at(-1)!.message).toMatch(/not valid YAML/u);
  });

  test("in one error with code bad-spec, whose text has file:line:column for each", () => {
    try {
      parseSweep(TEN, "dir/ten.yaml");
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(SpecError);
      const { code, problems } = error as SpecError;
      expect(EXIT_OF[code]).toBe(64);
      const text = (error as SpecError).toUserText();
      for (const { line, column } of problems) expect(text).toContain(`dir/ten.yaml:${line}:${column}: `);
      expect(text).toContain('did you mean "strength"?');
      expect(text).toContain("accepted: tanh, relu, gelu");
    }
  });

  test("once, though a list is read for several kinds", () => {
    const problems = problemsOf(`${HEAD}${GRID.replace("sgd", "{ kind: [sgd, adam], learningRate: -1 }")}`);
    expect(problems).toHaveLength(1);
  });

  test("once, though every value of an axis makes it", () => {
    const data = "data: { kind: boolean, inputs: [4, 5, 6], k: [8, 9] }";
    expect(problemsOf(`version: 1\nname: test\n${data}\n${GRID}`)).toHaveLength(1);
    expect(problemsOf(`${HEAD + GRID}train: { batch: [17, 18, 19] }\n`)).toHaveLength(1);
  });

  test("and what a filter leaves out is no mistake", () => {
    const text = `${HEAD + GRID.replace("sgd", "[sgd]").replace("architecture:", "architecture: [transformer,").replace("width: 4 }", "width: 4 }]")}where: architecture.kind != 'transformer'\n`;
    expect(parseSweep(text, "x").gridSize).toBe(2);
  });
});

describe("a file stays within limits:", () => {
  test("a large one is refused unread", () => {
    expect(problemsOf(`# ${"x".repeat(SPEC_LIMIT_BYTES)}`)[0]!.message).toMatch(/larger than/u);
  });

  test("nested aliases are not expanded without end", () => {
    const lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"];
    for (let i = 1; i < 9; i += 1)
      lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(", ")}]`);
    const messages = problemsOf(lines.join("\n")).map((problem) => problem.message);
    expect(messages.some((message) => message.includes("aliases"))).toBe(true);
  });

  test("deep nesting is a mistake, not a crash", () => {
    expect(problemsOf("[".repeat(100_000)).length).toBeGreaterThan(0);
    expect(problemsOf("{a: ".repeat(20_000)).length).toBeGreaterThan(0);
  });

  test("an alias inside its own anchor is a mistake", () => {
    expect(problemsOf("a: &a [*a]\n").some(({ message }) => message.includes("alias"))).toBe(true);
  });

  test("a grid that cannot be numbered is refused", () => {
    const replicates = `${HEAD + GRID.replace("sgd", "{ kind: sgd, learningRate: { log: [0.1, 1, 1000000000] } }")}seed: { replicates: 1000000000 }\n`;
    expect(problemsOf(replicates)[0]!.message).toMatch(/1\.0e\+18 points/u);
  });
});
