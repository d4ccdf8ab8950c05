/** `occam coordinator` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { logLevelOption } from "../options.ts";

export const coordinatorCommand = defineCommand({
  usage: "coordinator",
  summary: "Serve a store: hands out cells to workers and keeps what they send, until Ctrl-C",
  positionals: {},
  options: {
    store: {
      type: "string",
      requiresArg: true,
      default: "./occam-store",
      describe:
        "Folder that holds its state, made when it is not there; or postgres://USER@HOST/DATABASE, where others can stand by",
    },
    host: {
      type: "string",
      group: "Network:",
      requiresArg: true,
      default: "127.0.0.1",
      describe: "Address to listen on",
    },
    port: {
      type: "number",
      group: "Network:",
      requiresArg: true,
      default: 7171,
      describe: "Port to listen on; 0 for any free one",
    },
    advertise: {
      type: "string",
      group: "Network:",
      requiresArg: true,
      describe: "HOST:PORT where others reach it; standbys on the same store send workers there [where it listens]",
    },
    "token-file": {
      type: "string",
      group: "Network:",
      requiresArg: true,
      describe:
        "File that holds the token that callers must give [OCCAM_TOKEN, else STORE/token, made at the first start]",
    },
    "expect-workers": {
      type: "number",
      requiresArg: true,
      default: 0,
      describe: "Workers that are about to come: in the first seconds, shards are cut for so many",
    },
    ...logLevelOption,
  },
  examples: [
    ["coordinator --store ./store", "Serve on this machine alone"],
    ["coordinator --store /var/lib/occam --host 0.0.0.0", "Serve other machines too"],
    [
      "coordinator --store postgres://occam@db/occam --token-file token",
      "One of several: one leads, the others stand by (the password from PGPASSWORD or ~/.pgpass)",
    ],
  ],
  run: async (args, io) => {
    const { serveCoordinator } = await import("../run/serve-coordinator.ts");
    const { "token-file": tokenFile, "log-level": logLevel, "expect-workers": expectWorkers } = args;
    await serveCoordinator({ ...args, tokenFile, logLevel, expectWorkers }, io);
    return EXIT.ok;
  },
});
