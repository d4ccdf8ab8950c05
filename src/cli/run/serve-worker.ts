/** The worker's process: starts it, drains it on a signal or when its supervisor is gone. */
import { hostname } from "node:os";
import { EXIT } from "../../core/errors.ts";
import { asWorkerId } from "../../core/ids.ts";
import { createLogger, type LogLevel } from "../../core/log.ts";
import { openTracer } from "../../core/trace.ts";
import type { ClientTls } from "../../rpc/tls.ts";
import type { Io } from "../io.ts";
import { wholeNumber } from "../numbers.ts";
import type { BackendName } from "../options.ts";
import { requireToken } from "../token.ts";
import { isSupervised, reportToSupervisor } from "./child-messages.ts";
import { stopRequest, type StopRequest } from "./stop-request.ts";
import { untilListening } from "./until-listening.ts";

/** Without its supervisor a worker has nobody to hand back to: its coordinator ends at the same moment. */
const ORPHAN_GRACE_MS = 3_000;

export interface WorkArgs {
  readonly coordinator: string;
  readonly tokenFile: string | undefined;
  readonly tls: ClientTls | undefined;
  readonly allowPlaintext: boolean;
  readonly id: string | undefined;
  readonly backend: BackendName;
  readonly fuseWidth: number | undefined;
  readonly logLevel: LogLevel;
}

/** The exit code, after the worker has drained. */
export async function serveWorker(args: WorkArgs, io: Io): Promise<number> {
  const stop = stopRequest();
  // oxlint-disable-next-line no-restricted-imports -- this command is the side
  const { startWorker } = await import("../../../worker/main.ts");
  const workerId = asWorkerId(args.id ?? `${hostname()}-${process.pid}`);
  const tracer = await openTracer("worker", io.env);
  const worker = await startWorker({
    tracer,
    address: args.coordinator,
    token: requireToken(args.tokenFile, io),
    tls: args.tls,
    allowPlaintext: args.allowPlaintext,
    workerId,
    backend: args.backend,
    ...(isSupervised() ? { coordinatorUp: untilListening(args.coordinator, io.clock) } : {}),
    ...(args.fuseWidth === undefined ? {} : { maxFuseWidth: wholeNumber("--fuse-width", args.fuseWidth, 1, 1) }),
    clock: io.clock,
    logger: createLogger({ component: "worker", level: args.logLevel }),
  });
  if (isSupervised()) await reportToSupervisor({ type: "ready", address: args.coordinator, backend: worker.backend });
  else await io.out.write(`worker ${workerId} works for ${args.coordinator}\n`);
  void drainOn(stop, worker, io);
  try {
    return await worker.done;
  } finally {
    await tracer.close();
  }
}

async function drainOn(stop: StopRequest, worker: { drain(): void }, io: Io): Promise<void> {
  const reason = await stop.requested;
  worker.drain();
  if (reason === "supervisor-gone") io.clock.after(ORPHAN_GRACE_MS, () => process.exit(EXIT.drained));
}
