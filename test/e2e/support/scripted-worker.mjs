// The agent of the build as a process of its own, with a trainer process that does what a cell's seed says: a real worker in
// everything but the training. Plain JavaScript, for Node 20 runs no TypeScript and the build has no tests.
import { createLogger } from "../../../dist/src/core/log.js";
import { systemClock } from "../../../dist/src/core/clock.js";
import { startWorker } from "../../../dist/worker/main.js";

const { address, token, workerId, timings, protocol, maxFuseWidth } = JSON.parse(process.argv[2]);

const worker = await startWorker({
  address,
  token,
  workerId,
  backend: "auto",
  clock: systemClock,
  logger: createLogger({ component: "worker", level: "warn" }),
  trainerModule: new URL("../../unit/session/scripted-trainer.mjs", import.meta.url),
  timings,
  maxFuseWidth,
  ...(protocol === undefined ? {} : { protocol }),
});
process.once("SIGTERM", () => worker.drain());
process.send("ready");
try {
  process.exitCode = await worker.done;
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
}
process.disconnect?.();
