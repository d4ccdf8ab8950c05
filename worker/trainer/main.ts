/**
 * The trainer process: opens the engine once and runs one shard at a time for the agent that forked it. It knows nothing of
 * leases or gRPC, and it never beats the heart: a busy loop here must not look like a dead worker.
 *
 * It ends when its channel closes, so that an agent that was killed leaves nobody behind. Ctrl-C reaches the whole process
 * group; the agent alone decides what it means, so the signals are ignored here.
 */
import { systemClock } from "../../src/core/clock.ts";
import { EXIT_OF, messageOf, OccamError } from "../../src/core/errors.ts";
import { createLogger, type Logger } from "../../src/core/log.ts";
import { isOutOfMemory, openEngine, type Engine } from "../engine/engine.ts";
import { FuseWidths } from "../engine/fuse-width.ts";
import { EventBatch } from "./event-batch.ts";
import type { FromTrainer, ToTrainer } from "./protocol.ts";
import { runShard } from "./run-shard.ts";
import { ShardCheckpoints } from "./shard-checkpoints.ts";
import type { Shard } from "./shard.ts";

interface Running {
  readonly shardId: string;
  readonly controller: AbortController;
  readonly checkpoints: ShardCheckpoints | undefined;
}

class Trainer {
  #engine: Engine | undefined;
  #running: Running | undefined;
  /** Fuse widths, as far as they are learned. */
  #widths = new FuseWidths();

  async hear(message: ToTrainer): Promise<void> {
    switch (message.type) {
      case "open":
        return this.#open(message);
      case "run":
        return this.#run(message);
      case "abort":
        if (this.#running?.shardId === message.shardId) this.#running.controller.abort();
        return;
      case "cut":
        if (this.#running?.shardId === message.shardId) cut(this.#running);
    }
  }

  async #open({ backend, logLevel }: ToTrainer & { type: "open" }): Promise<void> {
    const logger = createLogger({ component: "trainer", level: logLevel });
    try {
      const engine = await openEngine(backend, { clock: systemClock, onFallback: (reason) => logger.warn(reason) });
      this.#engine = engine;
      this.#widths = new FuseWidths((fuseKey, points, best) => {
        const msPerMember = Object.fromEntries(points.map(({ width, stepMs }) => [width, stepMs / width]));
        logger.info({ fuseKey, msPerMember }, `programs of ${best} cells are best for this fuse key`);
      });
      logger.info({ backend: engine.backend, device: engine.device }, "engine open");
      tell({
        type: "ready",
        backend: engine.backend,
        device: engine.device,
        memoryBytes: engine.memoryBudgetBytes,
      });
    } catch (error) {
      await this.#unusable(logger, error);
    }
  }

  async #unusable(logger: Logger, error: unknown): Promise<void> {
    const known =
      error instanceof OccamError ? error : new OccamError("unsupported", messageOf(error), { cause: error });
    logger.error({ err: error }, "the engine cannot be opened");
    await told({ type: "unusable", code: known.code, message: known.message, hint: known.hint });
    process.exit(EXIT_OF[known.code]);
  }

  async #run({ shardId, cells, checkpoints: plan }: ToTrainer & { type: "run" }): Promise<void> {
    const shard: Shard = { cells };
    const engine = this.#engine;
    if (engine === undefined || this.#running !== undefined) {
      throw new OccamError(
        "internal",
        `shard ${shardId} came ${engine === undefined ? "too early" : "beside another"}`,
      );
    }
    const controller = new AbortController();
    const events = new EventBatch(systemClock, (batch) => tell({ type: "events", shardId, events: batch }));
    const checkpoints =
      plan &&
      new ShardCheckpoints({
        ...plan,
        backend: engine.backend,
        clock: systemClock,
        log: (...line) => events.log(...line),
        write: (cellId, file) => told({ type: "checkpoint", shardId, cellId, file }),
        onStopped: () => controller.abort(),
      });
    this.#running = { shardId, controller, checkpoints };
    const error = await runShard(engine, shard, events, controller.signal, this.#widths, checkpoints).then(
      () => undefined,
      (thrown: unknown) => ({
        kind: isOutOfMemory(thrown) ? ("out-of-memory" as const) : ("error" as const),
        reason: messageOf(thrown),
      }),
    );
    events.flush();
    this.#running = undefined;
    tell({ type: "ended", shardId, ...(error === undefined ? {} : { error }) });
  }
}

function cut({ checkpoints, controller }: Running): void {
  if (checkpoints === undefined) controller.abort();
  else checkpoints.stop();
}

function tell(message: FromTrainer): void {
  process.send?.(message);
}

/** Resolves once the message has left this process. */
function told(message: FromTrainer): Promise<void> {
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

if (process.send === undefined) {
  process.stderr.write("this is a worker's trainer process; start `occam worker` instead\n");
  process.exit(EXIT_OF["bad-usage"]);
}
const trainer = new Trainer();
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.once("disconnect", () => process.exit(0));
// The agent may have gone while this process was loading.
if (!process.connected) process.exit(0);
// A rejection ends the process with its stack on stderr, which the agent reports.
process.on("message", (message: ToTrainer) => void trainer.hear(message));
