// A coordinator in a process of its own (node --expose-gc), which says what it takes. Arguments: store, token. Over IPC: tells its
// address; "memory" -> bytes that are in use after a collection; "stall" -> the longest time that its event loop stood since the last question, in
// milliseconds of processor time, so that other processes do not count.
import { systemClock } from "../../../dist/src/core/clock.js";
import { createLogger } from "../../../dist/src/core/log.js";
import { startCoordinator } from "../../../dist/coordinator/main.js";

const [store, token] = process.argv.slice(2);
const logger = createLogger({ component: "coordinator", level: "error" });
const coordinator = await startCoordinator({ store, host: "127.0.0.1", port: 0, token, clock: systemClock, logger });

let longestMs = 0;
let before = process.cpuUsage();
const turn = () => {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  longestMs = Math.max(longestMs, (user + system) / 1000);
  setImmediate(turn);
};

process.on("message", (question) => {
  if (question === "watch turns") turn();
  if (question === "stall") {
    process.send(longestMs);
    longestMs = 0;
  }
  if (question === "memory") {
    globalThis.gc();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    process.send(heapUsed + Math.max(external, arrayBuffers));
  }
});
process.on("disconnect", () => process.exit());
process.send({ address: coordinator.address });
