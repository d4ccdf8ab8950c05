/** `occam selftest` */
import { defineCommand } from "../command.ts";
import { backendOption, jsonOption } from "../options.ts";

export const selftestCommand = defineCommand({
  usage: "selftest",
  summary: "Check this installation's estimates against known truth; ends with 1 when a gate fails",
  positionals: {},
  options: {
    ...jsonOption,
    only: {
      type: "string",
      requiresArg: true,
      describe: "Sections to run, by name, with commas [all that take no long]",
    },
    full: {
      type: "boolean",
      default: false,
      describe: "Also the ensembles of deep linear networks: about an hour on two cores",
    },
    seed: { type: "number", requiresArg: true, default: 0, describe: "Other weights, data and chains for every row" },
    budget: {
      type: "number",
      requiresArg: true,
      describe: "Gradients of each chain in place of each row's own: with too few the gates fail",
    },
    workers: {
      type: "number",
      requiresArg: true,
      describe: "Processes [wasm: one for each core; else as occam run]",
    },
    ...backendOption,
  },
  examples: [
    ["selftest", "Every section, about two minutes on two cores"],
    ["selftest --only regular,sgld --json", "Two sections, for a script"],
    ["selftest --full --only ensembles", "The ensembles of arXiv 2402.03698 alone"],
  ],
  run: async (args, io) => {
    const { wholeNumber } = await import("../numbers.ts");
    const { selftest } = await import("../selftest.ts");
    const atLeast = (flag: string, value: number | undefined, least: number): number | undefined =>
      value === undefined ? undefined : wholeNumber(flag, value, least, least);
    return selftest(
      {
        only: (args.only ?? "").split(",").map((name) => name.trim()).filter((name) => name !== ""), // prettier-ignore
        full: args.full,
        seed: wholeNumber("--seed", args.seed, 0, 0),
        budget: atLeast("--budget", args.budget, LEAST_BUDGET),
        workers: atLeast("--workers", args.workers, 1),
        backend: args.backend,
        json: args.json,
      },
      io,
    );
  },
});

/** Of a sweep file. */
const LEAST_BUDGET = 20;
