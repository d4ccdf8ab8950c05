// A coordinator in a process of its own (node --expose-gc), which says what it takes. Arguments: store, token. Over IPC: tells its
// address; "memory" -> bytes that are in use after a collection; "watch turns" begins to time the turns of its event loop;
// "turns" -> those since the last question that took more than 0.2 ms, in milliseconds.
import { openSync, readSync } from "node:fs";
import { systemClock } from "../../../dist/src/core/clock.js";
import { createLogger } from "../../../dist/src/core/log.js";
import { startCoordinator } from "../../../dist/coordinator/main.js";
import { oneToken } from "../../../dist/src/rpc/tokens.js";

const [store, token] = process.argv.slice(2);
const tokens = oneToken(token);
const logger = createLogger({ component: "coordinator", level: "error" });
const coordinator = await startCoordinator({ store, host: "127.0.0.1", port: 0, tokens, clock: systemClock, logger });

/** Processor time of this thread, ms: what other processes of the machine take does not count. */
const schedstat = openSync("/proc/thread-self/schedstat");
const text = Buffer.alloc(64);
const threadMs = () => Number(text.toString("latin1", 0, readSync(schedstat, text, 0, 64, 0)).split(" ")[0]) / 1e6;

let turns = [];
let before = threadMs();
const turn = () => {
  const now = threadMs();
  turns.push(now - before);
  before = now;
  setImmediate(turn);
};

process.on("message", (question) => {
  if (question === "watch turns") turn();
  if (question === "turns") {
    process.send(turns.filter((ms) => ms > 0.2));
    turns = [];
  }
  if (question === "memory") {
    globalThis.gc();
    const { heapUsed, external, arrayBuffers } = process.memoryUsage();
    process.send(heapUsed + Math.max(external, arrayBuffers));
  }
});
process.on("disconnect", () => process.exit());
process.send({ address: coordinator.address });
