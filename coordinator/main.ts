/** Starts a coordinator: store, memory, services; stops it in the opposite order. */
import { hostname } from "node:os";
import { BulkServiceService } from "../proto/gen/occam/v1/bulk.ts";
import { ControlServiceService } from "../proto/gen/occam/v1/control.ts";
import { OperatorServiceService } from "../proto/gen/occam/v1/operator.ts";
import type { Clock } from "../src/core/clock.ts";
import type { OccamError } from "../src/core/errors.ts";
import type { Logger } from "../src/core/log.ts";
import { isPostgresUrl } from "../src/core/postgres-url.ts";
import type { ProtocolRange } from "../src/core/protocol.ts";
import type { Tracer } from "../src/core/trace.ts";
import { formatAddress } from "../src/rpc/address.ts";
import { serve, type RunningServer, type ServeOptions, type Service } from "../src/rpc/server.ts";
import type { ServerTls } from "../src/rpc/tls.ts";
import type { Tokens } from "../src/rpc/tokens.ts";
import { bulkService } from "./api/bulk-service.ts";
import { controlService } from "./api/control-service.ts";
import { operatorService } from "./api/operator-service.ts";
import { WorkerOwners } from "./api/worker-owners.ts";
import { Coordinator } from "./coordinator.ts";
import { loopLoad } from "./hot/loop-load.ts";
import { openSqliteStore } from "./store/sqlite/open-sqlite.ts";
import { NO_METER, type Meter } from "./meter.ts";
import type { Store } from "./store/store.ts";
import type { Hot } from "./hot/hot.ts";
import type { Quotas } from "./sweep/check-size.ts";
import { loadCheck } from "./lease/late-check.ts";
import { lateSpecReader, loadSpecReader } from "./sweep/late-spec-reader.ts";
import { timingsOf, type Timings } from "./timings.ts";

/** Between two lines about refused calls. */
const REFUSED_EVERY_MS = 10_000;

export interface CoordinatorStartOptions {
  /** A folder, made when it is missing, for one coordinator at a time; or postgres://..., where others stand by. */
  readonly store: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** "host:port" where workers and other coordinators reach this one; left out: where it listens. */
  readonly advertise?: string;
  /** Who may call. */
  readonly tokens: Tokens;
  /** Undefined: plaintext. */
  readonly tls?: ServerTls | undefined;
  /** Plaintext beyond loopback too. */
  readonly allowPlaintext?: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timings?: Partial<Timings>;
  /** What it speaks with workers; for tests. */
  readonly protocol?: ProtocolRange;
  readonly numericsVersion?: number;
  readonly meter?: Meter;
  readonly tracer?: Tracer;
  readonly quotas?: Partial<Quotas>;
  /** Workers that are on their way: the first to come leaves the others their share. */
  readonly expectedWorkers?: number;
}

export interface RunningCoordinator {
  /** "host:port", as a client takes it. */
  readonly address: string;
  readonly port: number;
  /**
   * Resolves when the store can no longer be written (a full disk, another leader): every call is refused from then on, and the
   * process should end, so that the next one goes on from what is stored.
   */
  readonly failed: Promise<OccamError>;
  /** For metrics: the coordinator's memory, to be read. Undefined while it stands by. */
  readonly hot: Hot | undefined;
  isReady(): boolean;
  /** Finishes what is written, ends all calls, closes the store. */
  stop(): Promise<void>;
}

/** @throws OccamError "store-locked", "store-corrupt", "store-newer", "unavailable" or "bad-config", each with what to do */
export async function startCoordinator(options: CoordinatorStartOptions): Promise<RunningCoordinator> {
  const started = await (isPostgresUrl(options.store) ? startReplica(options) : startAlone(options));
  // Serving waits for no part that it can do without; what the first submission and the first commit need
  // comes now. Should it fail, they say so.
  for (const load of [loadSpecReader, loadCheck]) load().catch(() => undefined);
  return started;
}

/** On a folder, which is locked: it leads from the start. */
async function startAlone(options: CoordinatorStartOptions): Promise<RunningCoordinator> {
  const { clock, logger } = options;
  const startMs = clock.monotonicMs();
  const store = await openSqliteStore(options.store);
  let coordinator: Coordinator | undefined;
  try {
    coordinator = await openCoordinator(options, store);
    const server = await serveServices(options, servicesOf(coordinator, options));
    const { epoch, cells } = coordinator.hot;
    const tookMs = Math.round(clock.monotonicMs() - startMs);
    logger.info(
      { address: server.address, store: store.description, epoch: String(epoch), cells: cells.size, tookMs },
      "serving",
    );
    return running(coordinator, server, store, timingsOf(options.timings));
  } catch (error) {
    await coordinator?.stop();
    await store.close();
    throw error;
  }
}

/** On a database: it stands by until it is elected. */
async function startReplica(options: CoordinatorStartOptions): Promise<RunningCoordinator> {
  const { clock, logger } = options;
  const timings = timingsOf(options.timings);
  const { Replica } = await import("./lead/replica.ts");
  const { openPostgres } = await import("./store/postgres/open-postgres.ts");
  const database = await openPostgres(options.store, logger, timings.storeSilenceMs);
  try {
    const replica = await Replica.start({
      database,
      clock,
      logger,
      timings,
      addressOf: ({ address, port }) => options.advertise ?? reachable(options.host, port) ?? address,
      serve: (services, refusal) => serveServices(options, lateServices(services), refusal),
      open: (store) => openCoordinator(options, store),
      servicesOf: (coordinator) => servicesOf(coordinator, options),
    });
    const { server, failed } = replica;
    void unreadyOnFailure(failed, server);
    let stopping: Promise<void> | undefined;
    return {
      address: server.address,
      port: server.port,
      failed,
      get hot() {
        return replica.hot;
      },
      isReady: () => server.isReady(),
      stop: () => (stopping ??= replica.stop()),
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

/** A server that listens on every address is reached by its machine's name. */
function reachable(host: string, port: number): string | undefined {
  return host === "0.0.0.0" || host === "::" ? formatAddress({ host: hostname(), port }) : undefined;
}

function openCoordinator(options: CoordinatorStartOptions, store: Store): Promise<Coordinator> {
  const { clock, logger, timings, quotas = {}, expectedWorkers = 0, numericsVersion, meter, tracer } = options;
  return Coordinator.open({
    store,
    clock,
    logger,
    specs: lateSpecReader,
    timings: timingsOf(timings),
    quotas,
    expectedWorkers,
    load: loopLoad(),
    ...(numericsVersion === undefined ? {} : { numericsVersion }),
    ...(meter === undefined ? {} : { meter }),
    ...(tracer === undefined ? {} : { tracer }),
  });
}

function servicesOf(coordinator: Coordinator, { protocol }: CoordinatorStartOptions): readonly Service[] {
  const owners = new WorkerOwners(coordinator.hot);
  return [
    controlService(coordinator, owners, protocol),
    bulkService(coordinator, owners),
    operatorService(coordinator),
  ];
}

/** The same services before there is a coordinator: a call asks for them when it comes. */
function lateServices(services: () => readonly Service[]): readonly Service[] {
  return [ControlServiceService, BulkServiceService, OperatorServiceService].map((definition, index) => {
    const late = (name: string) => (call: unknown, callback: unknown) =>
      (services()[index]!.implementation[name] as unknown as Handler)(call, callback);
    const handlers = Object.keys(definition).map((name) => [name, late(name)]);
    return { definition, implementation: Object.fromEntries(handlers) as Service["implementation"] };
  });
}

type Handler = (call: unknown, callback: unknown) => void;

function serveServices(
  options: CoordinatorStartOptions,
  services: readonly Service[],
  refusal: () => OccamError | undefined = () => undefined,
): Promise<RunningServer> {
  const { host, port, tokens, tls, allowPlaintext = false, logger, clock } = options;
  const onRefused = refusals(options);
  return serve({ host, port, tokens, tls, allowPlaintext, services, refusal, logger, clock, onRefused });
}

/** Refused calls are counted, and told of at most once in a while: who guesses tokens must not fill the log. */
function refusals({
  meter = NO_METER,
  logger,
  clock,
}: CoordinatorStartOptions): NonNullable<ServeOptions["onRefused"]> {
  let toldMs = -REFUSED_EVERY_MS;
  let untold = 0;
  return (path, name, peer, { code }) => {
    meter.refused(code);
    if (code === "resource-exhausted") meter.shed("watch");
    untold += 1;
    if (clock.monotonicMs() - toldMs < REFUSED_EVERY_MS) return;
    toldMs = clock.monotonicMs();
    logger.warn({ method: path, by: name, peer, reason: code, refused: untold }, "calls were refused");
    untold = 0;
  };
}

/** The other services answer too, and refuse: this tells those who balance. */
async function unreadyOnFailure(failed: Promise<OccamError>, server: RunningServer): Promise<void> {
  await failed;
  server.setReady(false);
}

function running(coordinator: Coordinator, server: RunningServer, store: Store, timings: Timings): RunningCoordinator {
  void unreadyOnFailure(coordinator.failed, server);
  const stop = async (): Promise<void> => {
    server.setReady(false);
    // First what waits: long polls, watches and tails end, and with them their calls.
    await coordinator.stop();
    await server.shutdown(timings.stopGraceMs);
    await coordinator.stop();
    await store.close();
  };
  let stopping: Promise<void> | undefined;
  return {
    address: server.address,
    port: server.port,
    failed: coordinator.failed,
    hot: coordinator.hot,
    isReady: () => server.isReady(),
    stop: () => (stopping ??= stop()),
  };
}
