/** `occam logs` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { connectionOptions, jsonOption } from "../options.ts";

const FILTER = "Filter:";

export const logsCommand = defineCommand({
  usage: "logs [sweep]",
  summary: "Show the logs of workers and cells, and follow them",
  positionals: { sweep: { type: "string", describe: "Only this sweep: its id, a prefix of it, or its name" } },
  options: {
    ...connectionOptions,
    ...jsonOption,
    follow: { type: "boolean", default: false, alias: "f", describe: "Go on with new lines as they come" },
    cell: { type: "string", group: FILTER, requiresArg: true, describe: "Only this cell: its id or a prefix of it" },
    worker: { type: "string", group: FILTER, requiresArg: true, describe: "Only this worker" },
    level: {
      choices: ["debug", "info", "warn", "error"],
      default: "debug",
      group: FILTER,
      requiresArg: true,
      describe: "Only lines of this level and above",
    },
    text: { type: "string", group: FILTER, requiresArg: true, describe: "Only lines that contain this, in any case" },
    since: {
      type: "string",
      group: FILTER,
      requiresArg: true,
      describe: "Only lines since then: an age (90s, 10m, 2h, 3d) or an ISO time",
    },
    last: {
      type: "number",
      group: FILTER,
      requiresArg: true,
      describe: "Only so many of the lines that are already there",
    },
    resume: {
      type: "string",
      requiresArg: true,
      describe: "Go on where an earlier `occam logs` with the same filters ended: the token that it printed",
    },
  },
  examples: [
    ["logs -f", "Everything, as it comes"],
    ["logs digits --level warn --since 10m", "Warnings and errors of one sweep"],
    ["logs --cell 3fa9 --json", "One cell, for a script"],
    ["logs -f --level warn --resume 48213", "Go on where the last one ended"],
  ],
  run: (args, io) =>
    withOperator(args, io, async (operator) => {
      const { parseSince } = await import("../since.ts");
      const { levelOf } = await import("../wire-names.ts");
      const { logJson, logLine } = await import("../log-text.ts");
      const { wholeNumber } = await import("../numbers.ts");
      const request = {
        sweep: args.sweep ?? "",
        cellId: args.cell ?? "",
        workerId: args.worker ?? "",
        minLevel: levelOf(args.level),
        text: args.text ?? "",
        sinceMs: BigInt(args.since === undefined ? 0 : parseSince(args.since, io.clock.nowMs())),
        follow: args.follow,
        resumeToken: args.resume ?? "",
        last: wholeNumber("--last", args.last, 0, 0),
      };
      const { listenForInterrupts } = await import("../run/interrupts.ts");
      const { stop } = listenForInterrupts();
      let place = request.resumeToken;
      const follow = {
        signal: stop,
        onLost: (error: Error): void => void io.err.write(`${error.message}; trying again\n`),
        onPlace: (token: string): void => void (place = token),
      };
      for await (const line of operator.logs(request, follow)) {
        const text = args.json
          ? JSON.stringify({ ...logJson(line), resumeToken: line.resumeToken })
          : logLine(line, io.out.paint);
        await io.out.write(`${text}\n`);
        place = line.resumeToken;
        if (stop.aborted) break;
      }
      if (place !== "" && (args.follow || stop.aborted)) await io.err.write(`to go on from here: --resume ${place}\n`);
      return EXIT.ok;
    }),
});
