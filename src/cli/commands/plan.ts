/** `occam plan` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { jsonOption } from "../options.ts";

export const planCommand = defineCommand({
  usage: "plan <spec>",
  summary: "Check a sweep file and show what it costs, before anything runs",
  positionals: { spec: { type: "string", demandOption: true, describe: "Sweep file, YAML or JSON" } },
  options: {
    ...jsonOption,
    cells: { type: "boolean", default: false, describe: "List the cells, one a line" },
    out: {
      type: "string",
      alias: "o",
      requiresArg: true,
      describe: "Folder of an `occam run`, whose results count as cached [./occam-out/NAME]",
    },
  },
  examples: [
    ["plan examples/quickstart.yaml", "Cells, fuse groups, memory and time"],
    ["plan sweep.yaml --cells --json | wc -l", "The number of cells, the long way"],
  ],
  run: async (args, io) => {
    const { showPlan } = await import("../show-plan.ts");
    await showPlan(args, io);
    return EXIT.ok;
  },
});
