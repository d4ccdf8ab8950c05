/** `occam run` */
import type { SweepSpec } from "../../spec/sweep.ts";
import { defineCommand } from "../command.ts";
import type { Io } from "../io.ts";
import { backendOption, logLevelOption } from "../options.ts";

export const runCommand = defineCommand({
  usage: "run <spec>",
  summary: "Run a sweep on this machine; the same command again goes on where it stopped",
  positionals: { spec: { type: "string", demandOption: true, describe: "Sweep file, YAML or JSON" } },
  options: {
    out: {
      type: "string",
      alias: "o",
      group: "Output:",
      requiresArg: true,
      describe: "Folder for report, tables and state [./occam-out/NAME, by the sweep's name]",
    },
    workers: {
      type: "number",
      group: "Computing:",
      requiresArg: true,
      describe: "Worker processes [wasm: one for each core; tensorflow, webgpu: one; tensorflow-gpu: one for each GPU]",
    },
    backend: { ...backendOption.backend, group: "Computing:" },
    "fuse-width": {
      type: "number",
      group: "Computing:",
      requiresArg: true,
      describe:
        "The most cells that a worker takes at a time and trains as one program [wasm: 64; fewer where as fast]",
    },
    "no-cache": {
      type: "boolean",
      default: false,
      group: "Computing:",
      describe: "Train every cell anew, also those that an earlier sweep in this folder has a result of",
    },
    "log-level": { ...logLevelOption["log-level"], describe: "Least level of the log lines in OUT/store/log" },
  },
  examples: [
    ["run examples/quickstart.yaml", "Digits and Boolean functions, some minutes"],
    ["run sweep.yaml --out ./results --workers 2", "Into a folder of your choice, with two workers"],
  ],
  run: async (args, io) => {
    const { readSpec } = await import("../spec-file.ts");
    const { wholeNumber } = await import("../numbers.ts");
    const { pathIn } = await import("../token.ts");
    const file = await readSpec(args.spec, io);
    const { runSweep } = await import("../run/run-sweep.ts");
    const workers = args.workers === undefined ? undefined : wholeNumber("--workers", args.workers, 1, 1);
    const width = args["fuse-width"];
    const outDir = pathIn(io.cwd, args.out ?? `occam-out/${file.spec.name}`);
    const runArgs = {
      outDir,
      workers,
      fuseWidth: width === undefined ? undefined : wholeNumber("--fuse-width", width, 1, 1),
      backend: args.backend,
      noCache: args["no-cache"],
      logLevel: args["log-level"],
    };
    return runSweep(file, runArgs, io, () => printBrief(file.spec, workers, args.backend, io));
  },
});

async function printBrief(spec: SweepSpec, workers: number | undefined, backend: string, io: Io): Promise<void> {
  const { planInBrief } = await import("../show-plan.ts");
  const { defaultWorkers, visibleGpus } = await import("../run/default-workers.ts");
  // What `auto` comes to is known when a worker has opened it; the time is for the backend that works everywhere.
  const assumed = backend === "auto" ? "wasm" : backend;
  const gpus = assumed === "tensorflow-gpu" ? visibleGpus(io.env) : [];
  await io.out.write(`${planInBrief(spec, workers ?? defaultWorkers(assumed, gpus), assumed)}\n`);
}
