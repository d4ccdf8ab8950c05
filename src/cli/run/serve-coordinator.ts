/** The coordinator's process: starts it, says how to reach it, stops it on a signal or when its supervisor is gone. */
import { mkdirSync } from "node:fs";
import { hostname } from "node:os";
import { messageOf, OccamError } from "../../core/errors.ts";
import { createLogger, type LogLevel } from "../../core/log.ts";
import { formatAddress, parseAddress } from "../../rpc/address.ts";
import type { Io } from "../io.ts";
import { placeOf, type StorePlace } from "../store-place.ts";
import { wholeNumber } from "../numbers.ts";
import { findToken, storeToken } from "../token.ts";
import { isSupervised, reportToSupervisor } from "./child-messages.ts";
import { stopRequest } from "./stop-request.ts";

/** Workers of an `occam run` are on this machine and few: a heartbeat a second shows their progress as it goes. */
const LOCAL_HEARTBEAT_MS = 1_000;

export interface ServeArgs {
  readonly store: string;
  readonly host: string;
  readonly port: number;
  readonly tokenFile: string | undefined;
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
  const { token, path } = tokenOf(args, place, io);
  const coordinator = await startCoordinator({
    store: place.store,
    host: args.host,
    port: wholeNumber("--port", args.port, 0, 0),
    token,
    ...(args.advertise === undefined ? {} : { advertise: addressOf(args.advertise) }),
    expectedWorkers: wholeNumber("--expect-workers", args.expectWorkers, 0, 0),
    clock: io.clock,
    logger: createLogger({ component: "coordinator", level: args.logLevel }),
    ...(isSupervised() ? { timings: { heartbeatMs: LOCAL_HEARTBEAT_MS } } : {}),
  });
  if (isSupervised()) await reportToSupervisor({ type: "ready", address: coordinator.address });
  else await io.out.write(welcome(coordinator.address, coordinator.port, path, place, args));
  // A store that cannot be written any more ends the process: the next one goes on from what is stored.
  const failure = await Promise.race([stop.requested.then(() => undefined), coordinator.failed]);
  await coordinator.stop();
  if (failure !== undefined) throw failure;
}

const addressOf = (text: string): string => formatAddress(parseAddress(text));

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

function tokenOf(
  args: ServeArgs,
  place: StorePlace,
  io: Io,
): { readonly token: string; readonly path: string | undefined } {
  const given = findToken(args.tokenFile, io);
  if (given !== undefined) return { token: given, path: args.tokenFile };
  if (!place.shared) return storeToken(place.store);
  throw new OccamError("bad-config", "a store in PostgreSQL keeps no token, and none was given", {
    where: place.description,
    hint: "give every coordinator on it the same one: --token-file FILE, or OCCAM_TOKEN",
  });
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
  const flag = tokenPath === undefined ? "" : ` --token-file ${tokenPath}`;
  const setToken = tokenPath === undefined ? " (with the same OCCAM_TOKEN)" : "";
  return [
    `coordinator serves ${address}, store ${place.description}${place.shared ? "; it leads or stands by, as its log says" : ""}`,
    `start a worker${setToken}:  occam worker --coordinator ${target}${flag}`,
    `submit a sweep${setToken}:  occam submit SPEC --coordinator ${target}${flag}`,
    "",
  ].join("\n");
}
