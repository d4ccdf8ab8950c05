/**
 * A gRPC server of ours: bound, with TLS, tokens, health, reflection, limits and an orderly end.
 *
 * Health tells live from ready from leading. The service "" is SERVING while the process can answer at all; READY until
 * `setReady(false)` or `shutdown`: at a drain, and when the store fails; every service of ours while this server is ready and
 * leaves them to no other.
 *
 * Plaintext is for loopback. Beyond it, a token and all data could be read on the way: it is refused unless it is asked for.
 */
import {
  logVerbosity,
  Server,
  ServerInterceptingCall,
  setLogVerbosity,
  status,
  type ServerCredentials,
  type ServerInterceptor,
  type ServerOptions,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { systemClock, type Clock } from "../core/clock.ts";
import { messageOf, OccamError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { formatAddress, isLoopback, isPort } from "./address.ts";
import { admitCalls } from "./auth.ts";
import { CallGate, type GateLimits } from "./call-gate.ts";
import { Health } from "./health.ts";
import {
  CONNECTION_AGE_GRACE_MS,
  KEEPALIVE_TIME_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_CONCURRENT_STREAMS,
  MAX_MESSAGE_BYTES,
  MAX_SESSION_MEMORY_MB,
} from "./limits.ts";
import { addReflection } from "./reflection.ts";
import { refuseWhile } from "./refuse-while.ts";
import { checkRequirements } from "./roles.ts";
import { causeOf } from "./status.ts";
import { serverCredentials, type ServerTls } from "./tls.ts";
import type { Tokens } from "./tokens.ts";
import { withSafeReaders } from "./unreadable.ts";

/** The health service that says whether the server takes calls now. */
export const READY = "occam.ready";

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface ServeOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly tokens: Tokens;
  /** Undefined: plaintext. */
  readonly tls?: ServerTls | undefined;
  /** Plaintext beyond loopback too: something else encrypts, or nobody else is on the network. */
  readonly allowPlaintext?: boolean;
  readonly services: readonly Service[];
  /** Why calls of the services are refused now; undefined: they are not. */
  readonly refusal?: () => OccamError | undefined;
  readonly logger: Logger;
  /** Connections are closed, and made anew, after this long, so that replicas balance. Left out: never (one server). */
  readonly maxConnectionAgeMs?: number;
  readonly clock?: Clock;
  readonly gateLimits?: GateLimits;
  /** A call was refused at the door. */
  readonly onRefused?: (path: string, name: string, peer: string, error: OccamError) => void;
  /** Between two looks at certificates; FILE_REFRESH_MS when left out. */
  readonly refreshMs?: number;
}

export interface RunningServer {
  /** "host:port", as a client takes it. */
  readonly address: string;
  readonly port: number;
  setReady(ready: boolean): void;
  isReady(): boolean;
  /** What health says of the services alone: a server may be well and leave its services to another. */
  setServicesServing(serving: boolean): void;
  /** Takes no new call, waits up to `graceMs` for those that run, then cuts them off. */
  shutdown(graceMs: number): Promise<void>;
}

export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host, logger, services, clock = systemClock } = options;
  checkPlaintext(options);
  // grpc-js prints to stderr what it also throws.
  if (process.env["GRPC_VERBOSITY"] === undefined) setLogVerbosity(logVerbosity.NONE);
  const server = new Server(serverOptions(options));
  checkRequirements(services.map(({ definition }) => definition));
  for (const { definition, implementation } of services) server.addService(withSafeReaders(definition), implementation);
  const names = services.flatMap(({ definition }) => serviceName(definition));
  const health = new Health();
  for (const name of ["", READY, ...names]) health.set(name, false);
  health.addTo(server);
  addReflection(server, names);
  const secured = serverCredentials(options.tls, { clock, logger, refreshMs: options.refreshMs });
  const port = await bind(server, host, options.port, secured.credentials).catch((error: unknown) => {
    secured.stop();
    throw error;
  });
  health.set("", true);
  const setServicesServing = (serving: boolean): void => {
    for (const name of names) health.set(name, serving);
  };
  let isReady = false;
  const setReady = (is: boolean): void => {
    isReady = is;
    health.set(READY, is);
    setServicesServing(is);
  };
  setReady(true);
  const shutdown = async (graceMs: number): Promise<void> => {
    setReady(false);
    await end(server, graceMs, clock);
    secured.stop();
    options.tokens.stop();
  };
  let ending: Promise<void> | undefined;
  return {
    address: formatAddress({ host, port }),
    port,
    setReady,
    isReady: () => isReady,
    setServicesServing,
    shutdown: (graceMs) => (ending ??= shutdown(graceMs)),
  };
}

function checkPlaintext({ host, tls, allowPlaintext = false, logger }: ServeOptions): void {
  if (tls !== undefined || isLoopback(host)) return;
  if (!allowPlaintext) {
    throw new OccamError(
      "bad-config",
      `plaintext gRPC on ${host}: anyone on the way could read the token and all data`,
      {
        hint: "give --tls-cert and --tls-key; or --allow-plaintext where something else encrypts or nobody else is on the network",
      },
    );
  }
  logger.warn({ host }, "plaintext gRPC beyond loopback: anyone on the way can read the token and all data");
}

function serverOptions(options: ServeOptions): ServerOptions {
  return {
    interceptors: [
      logFailures(options.logger),
      admitCalls({ tokens: options.tokens, gate: new CallGate(options.gateLimits), onRefused: options.onRefused }),
      refuseWhile(options.refusal),
    ],
    "grpc-node.max_session_memory": MAX_SESSION_MEMORY_MB,
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_concurrent_streams": MAX_CONCURRENT_STREAMS,
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    // With channelz off, grpc-js 1.14 does not know its sessions and `forceShutdown` closes none of them.
    "grpc.enable_channelz": 1,
    ...(options.maxConnectionAgeMs === undefined
      ? {}
      : {
          "grpc.max_connection_age_ms": options.maxConnectionAgeMs,
          "grpc.max_connection_age_grace_ms": CONNECTION_AGE_GRACE_MS,
        }),
  };
}

function serviceName(definition: ServiceDefinition): readonly string[] {
  const [method] = Object.values(definition);
  return method === undefined ? [] : [method.path.split("/")[1] ?? ""];
}

/** Answers that speak of a defect of ours are logged with their stack; the caller sees the message alone. */
function logFailures(logger: Logger): ServerInterceptor {
  return (method, call) =>
    new ServerInterceptingCall(call, {
      sendStatus: (answer, next) => {
        if (answer.code === status.INTERNAL || answer.code === status.UNKNOWN || answer.code === status.DATA_LOSS) {
          logger.error({ method: method.path, err: causeOf(answer), details: answer.details }, "a call failed");
        }
        next(answer);
      },
    });
}

function bind(server: Server, host: string, port: number, credentials: ServerCredentials): Promise<number> {
  if (!isPort(port)) {
    throw new OccamError("bad-config", `${port} is no port`, { hint: "give 1 to 65535, or 0 for any free port" });
  }
  const address = formatAddress({ host, port });
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(bindError(address, error));
    });
  });
}

function bindError(address: string, error: Error): OccamError {
  const raw = messageOf(error);
  const [text, hint] = raw.includes("EADDRINUSE")
    ? ["the port is in use", "another coordinator runs there: give another --port, or 0 for any free one"]
    : raw.includes("EACCES")
      ? ["this user may not listen there", "ports below 1024 are for root: give another --port"]
      : raw.includes("EADDRNOTAVAIL") || raw.includes("ENOTFOUND") || raw.includes("EAI_AGAIN") || /resol/i.test(raw)
        ? ["this machine has no such address", "give --host an address of this machine, like 127.0.0.1"]
        : [raw, undefined];
  return new OccamError("bad-config", `cannot listen on ${address}: ${text}`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

async function end(server: Server, graceMs: number, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.after(graceMs, () => server.forceShutdown());
    server.tryShutdown(() => {
      cancel();
      resolve();
    });
  });
}
