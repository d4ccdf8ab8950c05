/** `occam submit` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";
import { watchSweep } from "./watch.ts";

export const submitCommand = defineCommand({
  usage: "submit <spec>",
  summary: "Submit a sweep file to a coordinator; the same file again is the same sweep, and goes on where it stopped",
  positionals: { spec: { type: "string", demandOption: true, describe: "Sweep file, YAML or JSON" } },
  options: {
    ...connectionOptions,
    ...jsonOption,
    watch: { type: "boolean", default: false, describe: "Follow the sweep until it has ended" },
    "no-cache": { type: "boolean", default: false, describe: "Train every cell anew, also those that have a result" },
    "request-id": {
      type: "string",
      requiresArg: true,
      describe: "Name of this request with --no-cache: repeated, it is still one sweep [drawn at random]",
    },
  },
  examples: [
    ["submit examples/quickstart.yaml --watch", "Submit and follow"],
    ["submit examples/quickstart.yaml --json | jq -r .sweepId", "Submit from a script"],
  ],
  run: async (args, io) => {
    const { readSpec } = await import("../spec-file.ts");
    const { randomUUID } = await import("node:crypto");
    const { text, fileName } = await readSpec(args.spec, io);
    return withOperator(args, io, async (operator) => {
      const { required } = await import("../operator.ts");
      const { asTraceparent, openTracer, traced } = await import("../../core/trace.ts");
      const { sweepJson, sweepLine } = await import("../sweep-text.ts");
      const requestId = args["no-cache"] ? (args["request-id"] ?? randomUUID()) : "";
      const request = { specText: text, fileName, noCache: args["no-cache"], requestId };
      const tracer = await openTracer("cli", io.env);
      // A script that traces gives its own span in TRACEPARENT.
      const parent = asTraceparent(io.env["TRACEPARENT"]);
      const submitted = traced(tracer, "submit", parent, (span) => operator.submit(request, span.traceparent));
      await submitted.catch(() => undefined);
      await tracer.close();
      const response = await submitted;
      const sweep = required(response.sweep);
      if (args.json) await io.out.write(`${JSON.stringify({ ...sweepJson(sweep), created: response.created })}\n`);
      else await io.out.write(`${response.created ? "submitted" : "was here"}  ${sweepLine(sweep)}\n`);
      return args.watch ? watchSweep(operator, sweep.sweepId, args.json, io) : EXIT.ok;
    });
  },
});
