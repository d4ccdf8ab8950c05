/** `occam status` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { withOperator } from "../connection.ts";
import { widthOf, type Io } from "../io.ts";
import type { Operator } from "../operator.ts";
import { connectionOptions, jsonOption } from "../options.ts";

export const statusCommand = defineCommand({
  usage: "status [sweep]",
  summary: "Show a coordinator's sweeps and workers, or one sweep and the cells that got no result",
  positionals: { sweep: { type: "string", describe: "Sweep id, a prefix of one, or a name" } },
  options: { ...connectionOptions, ...jsonOption },
  examples: [
    ["status", "Every sweep and every worker"],
    ["status regularisers-on-digits --json", "One sweep, for a script"],
  ],
  run: (args, io) =>
    withOperator(args, io, async (operator) => {
      const text =
        args.sweep === undefined ? overview(operator, args.json, io) : oneSweep(operator, args.sweep, args.json, io);
      await io.out.write(`${await text}\n`);
      return EXIT.ok;
    }),
});

async function overview(operator: Operator, json: boolean, io: Io): Promise<string> {
  const text = await import("../sweep-text.ts");
  const [server, sweeps, workers] = await Promise.all([operator.server(), operator.sweeps(), operator.workers()]);
  if (json) {
    return JSON.stringify({
      coordinator: {
        address: operator.address,
        version: server.packageVersion,
        startedMs: Number(server.startedMs),
        store: server.store,
      },
      sweeps: sweeps.map(text.sweepJson),
      workers: workers.map(text.workerJson),
    });
  }
  const since = io.clock.nowMs() - Number(server.startedMs);
  const { formatDuration } = await import("../output/format.ts");
  return [
    `coordinator ${operator.address}, occam ${server.packageVersion}, up ${formatDuration(since)}, store ${server.store}`,
    "",
    sweeps.length === 0 ? "no sweeps" : sweeps.map(text.sweepLine).join("\n"),
    "",
    workers.length === 0 ? "no workers" : (await workerTable(workers, io)).join("\n"),
  ].join("\n");
}

async function workerTable(workers: Awaited<ReturnType<Operator["workers"]>>, io: Io): Promise<readonly string[]> {
  const { renderTable } = await import("../output/table.ts");
  const { printable } = await import("../output/format.ts");
  const { workerJson } = await import("../sweep-text.ts");
  const rows = workers
    .map(workerJson)
    .map((worker) => [
      worker.workerId,
      worker.state,
      printable(worker.brokenReason === "" ? worker.activity : worker.brokenReason),
      worker.backend,
      String(worker.cellsCommitted),
    ]);
  const titles = [{ title: "worker" }, { title: "state" }, { title: "activity" }, { title: "backend" }];
  return renderTable([...titles, { title: "cells done", align: "right" }], rows, widthOf(io.out));
}

async function oneSweep(operator: Operator, name: string, json: boolean, io: Io): Promise<string> {
  const { faultsLine, sweepJson, sweepLine } = await import("../sweep-text.ts");
  const { CellState } = await import("../../../proto/gen/occam/v1/operator.ts");
  const { shortId } = await import("../../core/ids.ts");
  const { formatInstant, printable } = await import("../output/format.ts");
  const sweep = await operator.sweep(name);
  const failed: { readonly cellId: string; readonly reason: string; readonly attempts: number }[] = [];
  for await (const { cellId, reason, attempts } of operator.cells(sweep.sweepId, [CellState.CELL_STATE_QUARANTINED])) {
    failed.push({ cellId, reason, attempts });
  }
  if (json) return JSON.stringify({ ...sweepJson(sweep), quarantined: failed });
  const faults = faultsLine(sweep);
  const limits = [
    sweep.maxWorkers > 0 ? `at most ${sweep.maxWorkers} workers` : [],
    sweep.require.length > 0 ? `workers with ${sweep.require.join(", ")}` : [],
  ].flat();
  return [
    sweepLine(sweep),
    ...(faults === "" ? [] : [`attempts without a result: ${faults}`]),
    ...(limits.length === 0 ? [] : [`runs on ${printable(limits.join(", "))}`]),
    `submitted ${formatInstant(Number(sweep.createdMs))} from ${sweep.fileName}`,
    ...failed.map(({ cellId, reason }) =>
      io.out.paint("yellow", `quarantined ${shortId(cellId)}  ${printable(reason)}`),
    ),
  ].join("\n");
}
