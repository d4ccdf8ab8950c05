/** `occam worker` */
import { defineCommand } from "../command.ts";
import { backendOption, connectionOptions, logLevelOption } from "../options.ts";

export const workerCommand = defineCommand({
  usage: "worker",
  summary: "Run cells for a coordinator until Ctrl-C; what has not begun is handed back",
  positionals: {},
  options: {
    coordinator: connectionOptions.coordinator,
    "token-file": connectionOptions["token-file"],
    "tls-ca": connectionOptions["tls-ca"],
    "tls-cert": connectionOptions["tls-cert"],
    "tls-key": connectionOptions["tls-key"],
    "allow-plaintext": connectionOptions["allow-plaintext"],
    id: {
      type: "string",
      requiresArg: true,
      describe: "Name of this worker, its own and the same at every start [host name and process id]",
    },
    ...backendOption,
    "fuse-width": {
      type: "number",
      requiresArg: true,
      describe: "The most cells that it takes at a time and trains as one program [wasm: 64; fewer where as fast]",
    },
    ...logLevelOption,
  },
  examples: [
    ["worker --coordinator 127.0.0.1:7171 --token-file ./store/token", "Work for a coordinator on this machine"],
    ["worker --backend wasm --fuse-width 16", "Without a GPU, in small programs"],
  ],
  run: async (args, io) => {
    const { serveWorker } = await import("../run/serve-worker.ts");
    const { clientTls } = await import("../tls.ts");
    return serveWorker(
      {
        coordinator: args.coordinator,
        tokenFile: args["token-file"],
        tls: clientTls(args, io),
        allowPlaintext: args["allow-plaintext"],
        id: args.id,
        backend: args.backend,
        fuseWidth: args["fuse-width"],
        logLevel: args["log-level"],
      },
      io,
    );
  },
});
