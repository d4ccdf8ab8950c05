/** `occam run` */
import { defineCommand } from "../command.ts";
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
      describe: "Worker processes [one for each core]",
    },
    backend: { ...backendOption.backend, group: "Computing:" },
    "fuse-width": {
      type: "number",
      group: "Computing:",
      requiresArg: true,
      describe: "The most cells that are trained as one program [what the backend can take]",
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
    const { availableParallelism } = await import("node:os");
    const { pathIn } = await import("../token.ts");
    const file = await readSpec(args.spec, io);
    const { planInBrief } = await import("../show-plan.ts");
    const { runSweep } = await import("../run/run-sweep.ts");
    const workers = wholeNumber("--workers", args.workers, availableParallelism(), 1);
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
    await io.out.write(`${planInBrief(file.spec, workers, args.backend)}\n`);
    return runSweep(file, runArgs, io);
  },
});
