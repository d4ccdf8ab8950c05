/** `occam explain` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";

export const explainCommand = defineCommand({
  usage: "explain <cell>",
  summary: "Say why a cell is pending or has failed, and what would help",
  positionals: { cell: { type: "string", demandOption: true, describe: "Its id or a prefix of it" } },
  options: {
    ...connectionOptions,
    ...jsonOption,
    sweep: { type: "string", requiresArg: true, describe: "Of this sweep [the newest that has the cell]" },
  },
  examples: [["explain 3fa9c0", "Why it waits, or its last log lines"]],
  run: (args, io) =>
    withOperator(args, io, async (operator) => {
      const { explanationJson, explanationText } = await import("../explanation.ts");
      const explained = await operator.explain(args.cell, args.sweep ?? "");
      const text = args.json ? JSON.stringify(explanationJson(explained)) : explanationText(explained, io.out.paint);
      await io.out.write(`${text}\n`);
      return EXIT.ok;
    }),
});
