/** `occam resume` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";
import { printSweep } from "../print-sweep.ts";

export const resumeCommand = defineCommand({
  usage: "resume <sweep>",
  summary: "Let a paused or cancelled sweep go on",
  positionals: { sweep: { type: "string", demandOption: true, describe: "Sweep id, a prefix of one, or a name" } },
  options: { ...connectionOptions, ...jsonOption },
  examples: [["resume digits", "Resume the newest sweep of this name"]],
  run: (args, io) =>
    withOperator(args, io, async (operator) => {
      await printSweep(await operator.resume(args.sweep), args.json, io);
      return EXIT.ok;
    }),
});
