/**
 * A worker: one agent, which talks to the coordinator, and its trainer process, which computes.
 *
 * Exit codes that `done` resolves with: 0 drained by the coordinator, 75 (EXIT.drained) stopped on request. It rejects with
 * an OccamError when the session cannot go on: a wrong token, another version, a second process of the same worker id.
 */
import { existsSync } from "node:fs";
import { freemem } from "node:os";
import { fileURLToPath } from "node:url";
import type { Clock } from "../src/core/clock.ts";
import { OccamError } from "../src/core/errors.ts";
import { newSessionId, type WorkerId } from "../src/core/ids.ts";
import { LOG_LEVELS, type Logger } from "../src/core/log.ts";
import type { ProtocolRange } from "../src/core/protocol.ts";
import { NO_TRACER, type Tracer } from "../src/core/trace.ts";
import { rootKey } from "../src/core/random.ts";
import type { ClientTls } from "../src/rpc/tls.ts";
import { Agent } from "./session/agent.ts";
import { coordinatorPeer } from "./session/coordinator-peer.ts";
import { DEFAULT_TIMINGS, type SessionTimings } from "./session/timings.ts";
import type { BackendChoice } from "./trainer/protocol.ts";

/** Of the memory that is free at the start: the rest is for datasets, the event loop's own heaps and other workers. */
const MEMORY_SHARE = 0.5;

export interface WorkerOptions {
  /** The coordinator's "host:port". */
  readonly address: string;
  readonly token: string;
  /** Undefined: plaintext. */
  readonly tls?: ClientTls | undefined;
  /** Plaintext beyond loopback too. */
  readonly allowPlaintext?: boolean;
  /** The same at every start of this worker, and its alone. */
  readonly workerId: WorkerId;
  readonly backend: BackendChoice;
  /** Cells of one shard, at the most; by default what is good for the backend. */
  readonly maxFuseWidth?: number;
  /** The coordinator is looked for from then on; by default at once. The backend opens meanwhile. */
  readonly coordinatorUp?: Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timings?: Partial<SessionTimings>;
  readonly tracer?: Tracer;
  /** What it speaks with the coordinator, and whose numbers it computes; for tests. */
  readonly protocol?: ProtocolRange;
  readonly numericsVersion?: number;
  /** The trainer's program; for tests that run from sources, which cannot be forked. */
  readonly trainerModule?: URL;
}

export interface RunningWorker {
  /** What it computes on; with `auto`, what that came to. */
  readonly backend: string;
  /** The exit code. */
  readonly done: Promise<number>;
  /** Takes nothing more, hands back what is unfinished, ends. */
  drain(): void;
}

/** Resolves once the backend is open; rejects with "unsupported" when it cannot be, and the worker is then gone. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { address, token, tls, allowPlaintext, workerId, backend, clock, logger } = options;
  const sessionId = newSessionId();
  const agent = new Agent({
    workerId,
    sessionId,
    peer: coordinatorPeer({ address, token, tls, allowPlaintext, clock, logger }),
    trainer: {
      module: options.trainerModule ?? trainerModule(),
      backend,
      logLevel: LOG_LEVELS.find((level) => level === logger.level) ?? "info",
    },
    coordinatorUp: options.coordinatorUp ?? Promise.resolve(),
    maxFuseWidth: options.maxFuseWidth,
    memoryLimitBytes: MEMORY_SHARE * freemem(),
    clock,
    logger: logger.child({ worker: workerId, session: sessionId }),
    key: rootKey(`session/${sessionId}`),
    timings: { ...DEFAULT_TIMINGS, ...options.timings },
    tracer: options.tracer ?? NO_TRACER,
    protocol: options.protocol,
    numericsVersion: options.numericsVersion,
  });
  agent.start();
  await agent.ready;
  return { backend: agent.backend, done: agent.done, drain: () => agent.drain() };
}

/** In a build the trainer lies beside this file as JavaScript; the sources cannot be run by Node 20. */
function trainerModule(): URL {
  const built = new URL(
    import.meta.url.endsWith(".ts") ? "../dist/worker/trainer/main.js" : "./trainer/main.js",
    import.meta.url,
  );
  if (existsSync(fileURLToPath(built))) return built;
  throw new OccamError("bad-config", "the trainer's program is missing from this installation", {
    where: fileURLToPath(built),
    hint: "run npm run build",
  });
}
