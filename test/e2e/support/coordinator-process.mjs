// A coordinator of the build, as a process of its own that loads everything, waits for a word and only then opens its store: so
// that the next one is ready when one is killed. Plain JavaScript, for Node 20 runs no TypeScript and the build has no tests.
import { createLogger } from "../../../dist/src/core/log.js";
import { systemClock } from "../../../dist/src/core/clock.js";
import { oneToken } from "../../../dist/src/rpc/tokens.js";
import { startCoordinator } from "../../../dist/coordinator/main.js";

const POLL_MS = 5;

async function serve({ store, port, token, timings, protocol }) {
  const logger = createLogger({ component: "coordinator", level: "warn" });
  const coordinator = await startCoordinator({
    store,
    host: "127.0.0.1",
    port,
    tokens: oneToken(token),
    clock: systemClock,
    logger,
    timings,
    ...(protocol === undefined ? {} : { protocol }),
  });
  const end = async (code) => {
    await coordinator.stop();
    process.exit(code);
  };
  process.once("SIGTERM", () => void end(0));
  void endWhenFailed(coordinator, end);
  // On a folder it leads from the start; on a database once it is elected.
  while (coordinator.hot === undefined) await systemClock.sleep(POLL_MS);
  process.send({ address: coordinator.address });
}

async function endWhenFailed({ failed }, end) {
  const error = await failed;
  process.stderr.write(`error: ${error.message}\n`);
  await end(69);
}

process.once("message", (said) => void serve(said));
process.once("disconnect", () => process.exit(70));
process.send("loaded");
