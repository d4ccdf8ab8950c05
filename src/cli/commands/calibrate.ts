/** `occam calibrate` */
import { defineCommand } from "../command.ts";
import { backendOption, jsonOption } from "../options.ts";

export const calibrateCommand = defineCommand({
  usage: "calibrate <spec>",
  summary:
    "Find the estimate settings that suit one cell of a sweep: t, gamma, budget and sampler, each with its reason",
  positionals: { spec: { type: "string", demandOption: true, describe: "Sweep file, YAML or JSON" } },
  options: {
    cell: {
      type: "string",
      group: "Cell:",
      requiresArg: true,
      describe: "This cell: its id or a prefix of it, as `occam plan --cells` lists them [the first]",
    },
    where: {
      type: "string",
      group: "Cell:",
      requiresArg: true,
      describe: "The first cell that this CEL condition keeps, beside those of the file",
    },
    estimand: {
      choices: ["loss", "behavioural"] as const,
      group: "Cell:",
      requiresArg: true,
      describe: "What is estimated [the cell's own; loss where it has both]",
    },
    out: {
      type: "string",
      alias: "o",
      requiresArg: true,
      describe: "Folder for page, tables and the recommended block [./occam-out/NAME-calibration]",
    },
    ...backendOption,
    ...jsonOption,
  },
  noSettings: ["out"],
  examples: [
    [
      "calibrate examples/quickstart.yaml",
      "The first cell: some twenty estimates of it, at up to four times its budget",
    ],
    [`calibrate sweep.yaml --where "architecture.kind == 'mlp'"`, "The first network of the grid"],
  ],
  run: async (args, io) => {
    const { calibrateCell } = await import("../calibrate/calibrate-cell.ts");
    return calibrateCell(args, io);
  },
});
