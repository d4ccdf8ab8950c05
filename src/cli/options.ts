/** Options that several commands share. */

const CONNECTION = "Connection:";

/** How to reach a coordinator. */
export const connectionOptions = {
  coordinator: {
    type: "string",
    group: CONNECTION,
    requiresArg: true,
    describe: "Address of the coordinator, HOST:PORT; of several, with commas between them",
    default: "127.0.0.1:7171",
  },
  "token-file": {
    type: "string",
    group: CONNECTION,
    requiresArg: true,
    describe: "File that holds the coordinator's token [or OCCAM_TOKEN holds the token itself]",
  },
  "tls-ca": {
    type: "string",
    group: CONNECTION,
    requiresArg: true,
    describe: "TLS, with a coordinator whose certificate these authorities signed: a PEM file, or system",
  },
  "tls-cert": {
    type: "string",
    group: CONNECTION,
    requiresArg: true,
    describe: "Certificate of this client, where the coordinator wants one (PEM)",
  },
  "tls-key": { type: "string", group: CONNECTION, requiresArg: true, describe: "Its private key (PEM)" },
  "allow-plaintext": {
    type: "boolean",
    default: false,
    group: CONNECTION,
    describe: "Reach another machine without TLS: others on the network can read the token",
  },
  run: {
    type: "string",
    group: CONNECTION,
    requiresArg: true,
    describe: "Reach the coordinator of the `occam run` that writes to this folder instead",
  },
} as const;

export const jsonOption = {
  json: { type: "boolean", default: false, describe: "Print JSON, for scripts" },
} as const;

export const logLevelOption = {
  "log-level": {
    choices: ["debug", "info", "warn", "error"] as const,
    default: "info" as const,
    group: "Logging:",
    requiresArg: true,
    describe: "Least level of the log lines on standard error (JSON lines)",
  },
} as const;

/** As a user writes it. */
export const BACKENDS = ["auto", "tensorflow-gpu", "tensorflow", "webgpu", "wasm"] as const;
export type BackendName = (typeof BACKENDS)[number];

export const backendOption = {
  backend: {
    choices: BACKENDS,
    default: "auto" as const,
    requiresArg: true,
    describe: "What computes; auto takes the first of these that works here (see occam doctor)",
  },
} as const;
