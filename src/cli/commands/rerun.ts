/** `occam rerun` */
import { EXIT, OccamError } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";

export const rerunCommand = defineCommand({
  usage: "rerun <sweep>",
  summary: "Run cells of a sweep again that have no result, or one of older numbers",
  positionals: { sweep: { type: "string", demandOption: true, describe: "Sweep id, a prefix of one, or a name" } },
  options: {
    ...connectionOptions,
    ...jsonOption,
    failed: { type: "boolean", default: false, describe: "Its quarantined cells, without the faults that they have" },
    missing: { type: "boolean", default: false, describe: "Its quarantined and its cancelled cells" },
    stale: {
      type: "boolean",
      default: false,
      describe: "All of it, when its results are of other numbers than this coordinator's; a sweep of its own",
    },
  },
  examples: [
    ["rerun digits --failed", "After what they failed of is mended"],
    ["rerun digits --stale", "After an upgrade that changes numbers"],
  ],
  run: async (args, io) => {
    const { RerunWhat } = await import("../../../proto/gen/occam/v1/operator.ts");
    const kinds = [
      args.failed ? RerunWhat.RERUN_WHAT_FAILED : [],
      args.missing ? RerunWhat.RERUN_WHAT_MISSING : [],
      args.stale ? RerunWhat.RERUN_WHAT_STALE : [],
    ].flat();
    const [what, second] = kinds;
    if (what === undefined || second !== undefined) {
      throw new OccamError("bad-usage", "it must be said which cells", {
        hint: "give one of --failed, --missing, --stale",
      });
    }
    return withOperator(args, io, async (operator) => {
      const { required } = await import("../operator.ts");
      const { sweepJson, sweepLine } = await import("../sweep-text.ts");
      const response = await operator.rerun(args.sweep, what);
      const sweep = required(response.sweep);
      const text = args.json
        ? JSON.stringify({ ...sweepJson(sweep), rerun: response.cells })
        : `${response.cells} cells run again  ${sweepLine(sweep)}`;
      await io.out.write(`${text}\n`);
      return EXIT.ok;
    });
  },
});
