/** `occam change` */
import { EXIT, OccamError } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption, workOptions } from "../options.ts";
import { printSweep } from "../print-sweep.ts";

export const changeCommand = defineCommand({
  usage: "change <sweep>",
  summary: "Change the priority of a sweep, or how many workers may run it",
  positionals: { sweep: { type: "string", demandOption: true, describe: "Sweep id, a prefix of one, or a name" } },
  options: { ...connectionOptions, ...jsonOption, ...workOptions },
  examples: [
    ["change digits --priority 10", "Before all sweeps of a lower priority"],
    ["change digits --max-workers 4", "On four workers at the most"],
  ],
  run: async (args, io) => {
    const { priorityOf, wholeNumber } = await import("../numbers.ts");
    const given = args["max-workers"];
    const priority = priorityOf(args.priority);
    const maxWorkers = given === undefined ? undefined : wholeNumber("--max-workers", given, 0, 0);
    if (priority === undefined && maxWorkers === undefined) {
      throw new OccamError("bad-usage", "there is nothing to change", { hint: "give --priority or --max-workers" });
    }
    return withOperator(args, io, async (operator) => {
      await printSweep(await operator.change({ sweep: args.sweep, priority, maxWorkers }), args.json, io);
      return EXIT.ok;
    });
  },
});
