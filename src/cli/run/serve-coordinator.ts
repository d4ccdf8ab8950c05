/** The coordinator's process: starts it, says how to reach it, stops it on a signal or when its supervisor is gone. */
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { messageOf, OccamError } from "../../core/errors.ts";
import { createLogger, type Logger, type LogLevel } from "../../core/log.ts";
import { openTracer } from "../../core/trace.ts";
import { formatAddress, parseAddress } from "../../rpc/address.ts";
import type { ServerTls } from "../../rpc/tls.ts";
import type { Tokens } from "../../rpc/tokens.ts";
import type { Io } from "../io.ts";
import { placeOf, type StorePlace } from "../store-place.ts";
import { wholeNumber } from "../numbers.ts";
import { findToken, pathIn, storeToken } from "../token.ts";
import { isSupervised, reportToSupervisor } from "./child-messages.ts";
import { stopRequest } from "./stop-request.ts";

/** Workers of an `occam run` are on this machine and few: a heartbeat a second shows their progress as it goes. */
const LOCAL_HEARTBEAT_MS = 1_000;

export interface ServeArgs {
  readonly store: string;
  readonly host: string;
  readonly port: number;
  readonly tokenFile: string | undefined;
  readonly accessFile: string | undefined;
  readonly tls: ServerTls | undefined;
  readonly allowPlaintext: boolean;
  /** Undefined: none. */
  readonly metrics: { readonly host: string; readonly port: number } | undefined;
  readonly logLevel: LogLevel;
  readonly expectWorkers: number;
  readonly advertise: string | undefined;
}

/** Resolves after an orderly stop. */
export async function serveCoordinator(args: ServeArgs, io: Io): Promise<void> {
  const stop = stopRequest();
  // oxlint-disable-next-line no-restricted-imports -- this command is the side
  const { startCoordinator } = await import("../../../coordinator/main.ts");
  const place = placeOf(args.store, io);
  if (!place.shared) makeFolder(place.store);
  const logger = createLogger({ component: "coordinator", level: args.logLevel });
  const { tokens, path } = await tokensOf(args, place, io, logger);
  const tracer = await openTracer("coordinator", io.env);
  const metrics = await openMetrics(args);
  const coordinator = await startCoordinator({
    tracer,
    ...(metrics === undefined ? {} : { meter: metrics.meter }),
    store: place.store,
    host: args.host,
    port: wholeNumber("--port", args.port, 0, 0),
    ...(args.advertise === undefined ? {} : { advertise: addressOf(args.advertise) }),
    tokens,
    tls: args.tls,
    allowPlaintext: args.allowPlaintext,
    expectedWorkers: wholeNumber("--expect-workers", args.expectWorkers, 0, 0),
    clock: io.clock,
    logger,
    ...(isSupervised() ? { timings: { heartbeatMs: LOCAL_HEARTBEAT_MS } } : {}),
  });
  const served = await metrics?.serve(coordinator, logger).catch(async (error: unknown) => {
    await coordinator.stop();
    throw error;
  });
  if (isSupervised()) await reportToSupervisor({ type: "ready", address: coordinator.address });
  else await io.out.write(welcome(coordinator.address, coordinator.port, path, place, args));
  // A store that cannot be written any more ends the process: the next one goes on from what is stored.
  const failure = await Promise.race([stop.requested.then(() => undefined), coordinator.failed]);
  await coordinator.stop();
  await served?.stop();
  await tracer.close();
  if (failure !== undefined) throw failure;
}

const addressOf = (text: string): string => formatAddress(parseAddress(text));

/** Metrics, when they are asked for; else nothing of them is loaded. */
async function openMetrics({ metrics: place }: ServeArgs) {
  if (place === undefined) return undefined;
  // oxlint-disable-next-line no-restricted-imports -- this command is the side
  const { Metrics } = await import("../../../coordinator/http/metrics.ts");
  // oxlint-disable-next-line no-restricted-imports -- this command is the side
  const { serveMetrics } = await import("../../../coordinator/http/metrics-server.ts");
  const metrics = new Metrics();
  const port = wholeNumber("--metrics-port", place.port, 0, 0);
  return {
    meter: metrics,
    serve: (coordinator: Parameters<typeof metrics.read>[0], logger: Logger) => {
      metrics.read(coordinator);
      return serveMetrics({ host: place.host, port, metrics, isReady: () => coordinator.isReady(), logger });
    },
  };
}

function makeFolder(storeDir: string): void {
  try {
    mkdirSync(storeDir, { recursive: true });
  } catch (cause) {
    throw new OccamError("bad-config", `the store's folder cannot be made: ${messageOf(cause)}`, {
      where: storeDir,
      cause,
    });
  }
}

interface Access {
  readonly tokens: Tokens;
  /** Of a token that commands on this machine may read. */
  readonly path: string | undefined;
}

async function tokensOf(args: ServeArgs, place: StorePlace, io: Io, logger: Logger): Promise<Access> {
  if (args.accessFile !== undefined) {
    const { accessFile } = await import("../../rpc/access-file.ts");
    return { tokens: accessFile(pathIn(io.cwd, args.accessFile), io.clock, logger), path: undefined };
  }
  const { oneToken } = await import("../../rpc/tokens.ts");
  const given = findToken(args.tokenFile, io);
  if (given !== undefined) return { tokens: oneToken(given), path: args.tokenFile };
  if (place.shared) {
    throw new OccamError("bad-config", "a store in PostgreSQL keeps no token, and none was given", {
      where: place.description,
      hint: "give every coordinator on it the same one: --token-file FILE, OCCAM_TOKEN or --access-file FILE",
    });
  }
  const { token, path } = storeToken(place.store);
  return { tokens: oneToken(token), path };
}

function welcome(
  address: string,
  port: number,
  tokenPath: string | undefined,
  place: StorePlace,
  args: ServeArgs,
): string {
  const everywhere = args.host === "0.0.0.0" || args.host === "::";
  const target = args.advertise ?? (everywhere ? `${hostname()}:${port}` : address);
  const tls = args.tls === undefined ? "" : " --tls-ca CA";
  const flag = tokenPath === undefined ? tls : `${tls} --token-file ${tokenPath}`;
  const inFile = args.accessFile === undefined ? " (with the same OCCAM_TOKEN)" : " (with a token of the access file)";
  const setToken = tokenPath === undefined ? inFile : "";
  return [
    `coordinator serves ${address}, store ${place.description}${place.shared ? "; it leads or stands by, as its log says" : ""}`,
    `start a worker${setToken}:  occam worker --coordinator ${target}${flag}`,
    `submit a sweep${setToken}:  occam submit SPEC --coordinator ${target}${flag}`,
    "",
  ].join("\n");
}
