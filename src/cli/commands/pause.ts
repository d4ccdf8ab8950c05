/** `occam pause` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";
import { printSweep } from "../print-sweep.ts";

export const pauseCommand = defineCommand({
  usage: "pause <sweep>",
  summary: "Give out no more cells of a sweep until it is resumed; what runs goes on",
  positionals: { sweep: { type: "string", demandOption: true, describe: "Sweep id, a prefix of one, or a name" } },
  options: {
    ...connectionOptions,
    ...jsonOption,
    reason: { type: "string", requiresArg: true, describe: "Why, for those who look at it" },
  },
  examples: [["pause digits --reason 'the grid has a mistake'", "Pause the newest sweep of this name"]],
  run: (args, io) =>
    withOperator(args, io, async (operator) => {
      await printSweep(await operator.pause(args.sweep, args.reason ?? ""), args.json, io);
      return EXIT.ok;
    }),
});
