/** `occam reset` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";

export const resetCommand = defineCommand({
  usage: "reset <worker>",
  summary: "Give cells again to a worker that got none because cell after cell failed on it",
  positionals: { worker: { type: "string", demandOption: true, describe: "Its id, as `occam status` shows it" } },
  options: { ...connectionOptions, ...jsonOption },
  examples: [["reset node-7", "After it is mended"]],
  run: (args, io) =>
    withOperator(args, io, async (operator) => {
      const { workerJson } = await import("../sweep-text.ts");
      const worker = await operator.resetWorker(args.worker);
      const shown = worker === undefined ? { workerId: args.worker, state: "unknown" } : workerJson(worker);
      await io.out.write(args.json ? `${JSON.stringify(shown)}\n` : `${shown.workerId}  ${shown.state}\n`);
      return EXIT.ok;
    }),
});
