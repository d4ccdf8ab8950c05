/** Starts a coordinator: store, memory, services; stops it in the opposite order. */
import type { Clock } from "../src/core/clock.ts";
import type { OccamError } from "../src/core/errors.ts";
import type { Logger } from "../src/core/log.ts";
import type { ProtocolRange } from "../src/core/protocol.ts";
import type { Tracer } from "../src/core/trace.ts";
import { serve, type RunningServer, type ServeOptions } from "../src/rpc/server.ts";
import type { ServerTls } from "../src/rpc/tls.ts";
import type { Tokens } from "../src/rpc/tokens.ts";
import { bulkService } from "./api/bulk-service.ts";
import { controlService } from "./api/control-service.ts";
import { operatorService } from "./api/operator-service.ts";
import { WorkerOwners } from "./api/worker-owners.ts";
import { Coordinator } from "./coordinator.ts";
import { openSqliteStore } from "./store/sqlite/open-sqlite.ts";
import type { Meter } from "./meter.ts";
import type { Store } from "./store/store.ts";
import type { Hot } from "./hot/hot.ts";
import { specReader } from "./sweep/read-spec.ts";
import { timingsOf, type Timings } from "./timings.ts";

/** Between two lines about refused calls. */
const REFUSED_EVERY_MS = 10_000;

export interface CoordinatorStartOptions {
  /** Made when it is missing. One coordinator at a time. */
  readonly storeDir: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
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
  /** Workers that are on their way: the first to come leaves the others their share. */
  readonly expectedWorkers?: number;
}

export interface RunningCoordinator {
  /** "host:port", as a client takes it. */
  readonly address: string;
  readonly port: number;
  /**
   * Resolves when the store can no longer be written (a full disk): every call is refused from then on, and the process should
   * end, so that the next one goes on from what is stored.
   */
  readonly failed: Promise<OccamError>;
  /** For metrics: the coordinator's memory, to be read. */
  readonly hot: Hot;
  isReady(): boolean;
  /** Finishes what is written, ends all calls, closes the store. */
  stop(): Promise<void>;
}

/** @throws OccamError "store-locked", "store-corrupt", "store-newer" or "bad-config", each with what to do */
export async function startCoordinator(options: CoordinatorStartOptions): Promise<RunningCoordinator> {
  const { storeDir, clock, logger } = options;
  const timings = timingsOf(options.timings);
  const startMs = clock.monotonicMs();
  const store = await openSqliteStore(storeDir);
  let coordinator: Coordinator | undefined;
  try {
    coordinator = await Coordinator.open({
      store,
      clock,
      logger,
      specs: specReader,
      timings,
      expectedWorkers: options.expectedWorkers ?? 0,
      ...(options.numericsVersion === undefined ? {} : { numericsVersion: options.numericsVersion }),
      ...(options.meter === undefined ? {} : { meter: options.meter }),
      ...(options.tracer === undefined ? {} : { tracer: options.tracer }),
    });
    const server = await serveCoordinator(coordinator, options);
    const { epoch, cells } = coordinator.hot;
    const tookMs = Math.round(clock.monotonicMs() - startMs);
    logger.info(
      { address: server.address, store: store.description, epoch: String(epoch), cells: cells.size, tookMs },
      "serving",
    );
    return running(coordinator, server, store, timings);
  } catch (error) {
    await coordinator?.stop();
    await store.close();
    throw error;
  }
}

function serveCoordinator(coordinator: Coordinator, options: CoordinatorStartOptions): Promise<RunningServer> {
  const { host, port, tokens, tls, allowPlaintext = false, logger, clock } = options;
  const owners = new WorkerOwners(coordinator.hot);
  const services = [
    controlService(coordinator, owners, options.protocol),
    bulkService(coordinator, owners),
    operatorService(coordinator),
  ];
  const onRefused = refusals(coordinator.hot);
  return serve({ host, port, tokens, tls, allowPlaintext, services, logger, clock, onRefused });
}

/** Refused calls are counted, and told of at most once in a while: who guesses tokens must not fill the log. */
function refusals({ meter, logger, clock }: Hot): NonNullable<ServeOptions["onRefused"]> {
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
async function unreadyOnFailure(coordinator: Coordinator, server: RunningServer): Promise<void> {
  await coordinator.failed;
  server.setReady(false);
}

function running(coordinator: Coordinator, server: RunningServer, store: Store, timings: Timings): RunningCoordinator {
  void unreadyOnFailure(coordinator, server);
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
