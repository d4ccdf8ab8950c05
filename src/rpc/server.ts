/**
 * A gRPC server of ours: bound, with token, health, reflection, limits and an orderly end. Health says SERVING from the first
 * moment until `setServing(false)` or `shutdown`.
 *
 * Transport is plaintext for now, which is meant for loopback: bound to any other host it warns, because the token and all
 * data are then readable on the way. TLS comes with the Cluster issue.
 */
import {
  logVerbosity,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  setLogVerbosity,
  status,
  type ServerInterceptor,
  type ServerOptions,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";
import { systemClock, type Clock } from "../core/clock.ts";
import { messageOf, OccamError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { formatAddress, isLoopback, isPort } from "./address.ts";
import { requireToken } from "./auth.ts";
import {
  CONNECTION_AGE_GRACE_MS,
  KEEPALIVE_TIME_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_CONCURRENT_STREAMS,
  MAX_MESSAGE_BYTES,
} from "./limits.ts";
import { addReflection } from "./reflection.ts";
import { refuseWhile } from "./refuse-while.ts";
import { causeOf } from "./status.ts";

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface ServeOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly token: string;
  readonly services: readonly Service[];
  /** Why calls of the services are refused now; undefined: they are not. */
  readonly refusal?: () => OccamError | undefined;
  readonly logger: Logger;
  /** Connections are closed, and made anew, after this long, so that replicas balance. Left out: never (one server). */
  readonly maxConnectionAgeMs?: number;
  readonly clock?: Clock;
}

export interface RunningServer {
  /** "host:port", as a client takes it. */
  readonly address: string;
  readonly port: number;
  setServing(serving: boolean): void;
  /** What health says of the services alone: a server may be well and leave its services to another. */
  setServicesServing(serving: boolean): void;
  /** Takes no new call, waits up to `graceMs` for those that run, then cuts them off. */
  shutdown(graceMs: number): Promise<void>;
}

export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { host, logger, services } = options;
  // grpc-js prints to stderr what it also throws.
  if (process.env["GRPC_VERBOSITY"] === undefined) setLogVerbosity(logVerbosity.NONE);
  const server = new Server(serverOptions(options));
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  const names = services.flatMap(({ definition }) => serviceName(definition));
  const health = new HealthImplementation(Object.fromEntries(["", ...names].map((name) => [name, "NOT_SERVING"])));
  health.addToServer(server);
  addReflection(server, names);
  const port = await bind(server, host, options.port);
  if (!isLoopback(host)) {
    logger.warn({ host, port }, "plaintext gRPC on a host that is not loopback: anyone on the way can read the token");
  }
  const setServicesServing = (serving: boolean): void => {
    for (const name of names) health.setStatus(name, serving ? "SERVING" : "NOT_SERVING");
  };
  const setServing = (serving: boolean): void => {
    health.setStatus("", serving ? "SERVING" : "NOT_SERVING");
    setServicesServing(serving);
  };
  setServing(true);
  let ending: Promise<void> | undefined;
  return {
    address: formatAddress({ host, port }),
    port,
    setServing,
    setServicesServing,
    shutdown: (graceMs) => {
      setServing(false);
      return (ending ??= end(server, graceMs, options.clock ?? systemClock));
    },
  };
}

function serverOptions(options: ServeOptions): ServerOptions {
  return {
    interceptors: [logFailures(options.logger), requireToken(options.token), refuseWhile(options.refusal)],
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

function bind(server: Server, host: string, port: number): Promise<number> {
  if (!isPort(port)) {
    throw new OccamError("bad-config", `${port} is no port`, { hint: "give 1 to 65535, or 0 for any free port" });
  }
  const address = formatAddress({ host, port });
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) => {
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
