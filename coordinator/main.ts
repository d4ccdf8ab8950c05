/** Starts a coordinator: store, memory, services; stops it in the opposite order. */
import type { Clock } from "../src/core/clock.ts";
import type { OccamError } from "../src/core/errors.ts";
import type { Logger } from "../src/core/log.ts";
import { serve, type RunningServer } from "../src/rpc/server.ts";
import type { ServerTls } from "../src/rpc/tls.ts";
import type { Tokens } from "../src/rpc/tokens.ts";
import { bulkService } from "./api/bulk-service.ts";
import { controlService } from "./api/control-service.ts";
import { operatorService } from "./api/operator-service.ts";
import { WorkerOwners } from "./api/worker-owners.ts";
import { Coordinator } from "./coordinator.ts";
import { openSqliteStore } from "./store/sqlite/open-sqlite.ts";
import type { Store } from "./store/store.ts";
import { specReader } from "./sweep/read-spec.ts";
import { timingsOf, type Timings } from "./timings.ts";

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
    controlService(coordinator, owners),
    bulkService(coordinator, owners),
    operatorService(coordinator),
  ];
  return serve({ host, port, tokens, tls, allowPlaintext, services, logger, clock });
}

function running(coordinator: Coordinator, server: RunningServer, store: Store, timings: Timings): RunningCoordinator {
  const stop = async (): Promise<void> => {
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
    stop: () => (stopping ??= stop()),
  };
}
