/** `occam watch` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import type { Io } from "../io.ts";
import type { Operator } from "../operator.ts";
import { connectionOptions, jsonOption } from "../options.ts";

export const watchCommand = defineCommand({
  usage: "watch <sweep>",
  summary: "Follow a sweep until it has ended; exit code 3 when some cells have no result",
  positionals: { sweep: { type: "string", demandOption: true, describe: "Sweep id, a prefix of one, or a name" } },
  options: { ...connectionOptions, json: { ...jsonOption.json, describe: "Print one JSON object a line" } },
  examples: [
    ["watch regularisers-on-digits", "Progress, workers and estimates so far"],
    ["watch regularisers-on-digits --json | jq .cells.committed", "The same for a script"],
  ],
  run: (args, io) => withOperator(args, io, (operator) => watchSweep(operator, args.sweep, args.json, io)),
});

/** Shows a sweep's progress until it ends. */
export async function watchSweep(operator: Operator, name: string, json: boolean, io: Io): Promise<number> {
  const { progressView } = await import("../output/progress-view.ts");
  const { printable } = await import("../output/format.ts");
  const { snapshotOf, watchJson } = await import("../sweep-text.ts");
  const view = progressView(io.out, io.clock, json || io.env["TERM"] === "dumb");
  const onLost = (error: Error): void => {
    const text = `${error.message}; trying again`;
    // On a terminal the block stands below; a script's output is its own.
    void (io.out.isTTY && !json ? view.note(text) : io.err.write(`${text}\n`));
  };
  let unfinished = 0;
  let paused = "";
  for await (const response of operator.watch(name, WATCH_INTERVAL_MS, { onLost })) {
    const snapshot = snapshotOf(response);
    unfinished = snapshot.counts.total - snapshot.counts.committed;
    if (json) await io.out.write(`${JSON.stringify(watchJson(response))}\n`);
    else await view.show(snapshot);
    const now = response.sweep?.paused ?? "";
    if (!json && now !== paused && now !== "")
      await view.note(`paused: ${printable(now)}; occam resume ${snapshot.sweepId}`);
    paused = now;
  }
  await view.close();
  return unfinished > 0 ? EXIT.incomplete : EXIT.ok;
}

/** Snapshots come at most this often. */
const WATCH_INTERVAL_MS = 250;
