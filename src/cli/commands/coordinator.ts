/** `occam coordinator` */
import { EXIT } from "../../core/errors.ts";
import { defineCommand } from "../command.ts";
import { logLevelOption } from "../options.ts";

/** Where Prometheus looks for an exporter of OpenTelemetry's. */
const METRICS_PORT = 9464;

/** Undefined: no metrics. */
function metricsPlace(host: string | undefined, port: number | undefined) {
  if (host === undefined && port === undefined) return undefined;
  return { host: host ?? "127.0.0.1", port: port ?? METRICS_PORT };
}

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
    "access-file": {
      type: "string",
      group: "Network:",
      requiresArg: true,
      describe: "File of named tokens with roles, instead of the one token; see occam token",
    },
    "tls-cert": { type: "string", group: "Network:", requiresArg: true, describe: "TLS: its certificate chain (PEM)" },
    "tls-key": { type: "string", group: "Network:", requiresArg: true, describe: "TLS: its private key (PEM)" },
    "tls-client-ca": {
      type: "string",
      group: "Network:",
      requiresArg: true,
      describe: "Mutual TLS: only clients whose certificate these authorities signed (PEM)",
    },
    "allow-plaintext": {
      type: "boolean",
      default: false,
      group: "Network:",
      describe: "Listen beyond loopback without TLS: others on the network can read tokens and data",
    },
    "metrics-port": {
      type: "number",
      group: "Metrics:",
      requiresArg: true,
      describe:
        "Serve Prometheus metrics and probes (/metrics, /livez, /readyz) on this port; 0 for any free one [off]",
    },
    "metrics-host": {
      type: "string",
      group: "Metrics:",
      requiresArg: true,
      describe: "Address for them [127.0.0.1; with it alone the port is 9464]",
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
    [
      "coordinator --store /var/lib/occam --host 0.0.0.0 --tls-cert tls.crt --tls-key tls.key --access-file access.yaml",
      "Serve other machines too",
    ],
    [
      "coordinator --store postgres://occam@db/occam --token-file token",
      "One of several: one leads, the others stand by (the password from PGPASSWORD or ~/.pgpass)",
    ],
  ],
  run: async (args, io) => {
    const { serveCoordinator } = await import("../run/serve-coordinator.ts");
    const { serverTls } = await import("../tls.ts");
    await serveCoordinator(
      {
        store: args.store,
        host: args.host,
        port: args.port,
        tokenFile: args["token-file"],
        accessFile: args["access-file"],
        tls: serverTls(args, io),
        allowPlaintext: args["allow-plaintext"],
        metrics: metricsPlace(args["metrics-host"], args["metrics-port"]),
        logLevel: args["log-level"],
        expectWorkers: args["expect-workers"],
        advertise: args.advertise,
      },
      io,
    );
    return EXIT.ok;
  },
});
