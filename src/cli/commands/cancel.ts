/** `occam cancel` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";

export const cancelCommand = defineCommand({
  usage: "cancel <sweep>",
  summary: "Cancel a sweep: its unfinished cells are not run; submit it again to go on",
  positionals: { sweep: { type: "string", demandOption: true, describe: "Sweep id, a prefix of one, or a name" } },
  options: { ...connectionOptions, ...jsonOption },
  examples: [["cancel regularisers-on-digits", "Cancel the newest sweep of this name"]],
  run: (args, io) =>
    withOperator(args, io, async (operator) => {
      const { required } = await import("../operator.ts");
      const { sweepJson, sweepLine } = await import("../sweep-text.ts");
      const sweep = required((await operator.cancel(args.sweep)).sweep);
      await io.out.write(args.json ? `${JSON.stringify(sweepJson(sweep))}\n` : `${sweepLine(sweep)}\n`);
      return EXIT.ok;
    }),
});
