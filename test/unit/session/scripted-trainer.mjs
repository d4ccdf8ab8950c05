/**
 * A trainer process that speaks the real protocol and does what a cell's seed says, for tests from sources (which Node 20
 * cannot fork). Results are fixed figures: what is tested is the agent.
 */
const SEEDS = {
  dies: "13", // ends with exit code 3 and words on stderr
  killed: "14", // kills itself with SIGKILL
  heapFull: "15", // ends as V8 does when its heap is full
  poisons: "16", // takes its worker along, as a cell that brings a machine down does
  waits: "20", // no result until it is aborted
  deaf: "21", // no result, and it does not heed an abort
  fails: "30",
  throws: "31",
  floods: "40", // many metric points before its result
};

const metrics = (cellId, count) => ({
  type: "metrics",
  cellId,
  points: Array.from({ length: count }, (_, step) => ({
    series: "train.loss",
    step,
    value: step === 1 ? Number.NaN : 1 / (step + 1),
  })),
});

const result = (cell) => ({
  type: "result",
  cellId: cell.id,
  result: {
    outcome: "ok",
    reason: "",
    parameters: 7,
    steps: cell.config.train.steps,
    stopped: "budget",
    trainLoss: 0.25,
    testLoss: 0.5,
    trainAccuracy: 1,
    testAccuracy: 0.75,
    estimate: null,
    behavioural: null,
    timing: { trainMs: 1, estimateMs: 0, wallMs: 1 },
    backend: "wasm",
    fuseWidth: 1,
  },
});

/** Seeds 50 to 59: the result takes a while. */
const isSlow = (cell) => /^5\d$/.test(cell.config.seed);

let abort = new AbortController();
const send = (message) => process.send(message);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function runCell(cell, say) {
  const log = { type: "log", cellId: cell.id, timeMs: Date.now(), level: "info", message: "begins", fields: { n: 1n } };
  say(log, metrics(cell.id, cell.config.seed === SEEDS.floods ? 20_000 : 5));
  // A bad node: whatever the cell is.
  if (process.env.OCCAM_TEST_BAD_NODE === "1") {
    return say({ type: "failed", cellId: cell.id, kind: "error", reason: "the device has fallen off the bus" });
  }
  switch (cell.config.seed) {
    case SEEDS.dies:
      process.stderr.write("the poison cell\n");
      process.exit(3);
    case SEEDS.killed:
      process.kill(process.pid, "SIGKILL");
      return pause(10_000);
    case SEEDS.heapFull:
      process.stderr.write("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n");
      return process.abort();
    case SEEDS.poisons:
      // After the worker has said that it runs.
      await pause(1_000);
      process.kill(process.ppid, "SIGKILL");
      return pause(10_000);
    case SEEDS.waits:
      while (!abort.signal.aborted) await pause(10);
      return undefined;
    case SEEDS.deaf:
      for (;;) await pause(1_000);
    case SEEDS.fails:
      return say({ type: "failed", cellId: cell.id, kind: "error", reason: "it cannot learn this" });
    case SEEDS.throws:
      throw new Error("the whole shard failed");
    default:
      if (isSlow(cell)) await pause(600);
      return say(result(cell));
  }
}

async function run({ shardId, cells }) {
  abort = new AbortController();
  const say = (...events) => send({ type: "events", shardId, events });
  try {
    say({ type: "progress", progress: { phase: "train", step: 1, steps: 10, live: cells.length } });
    for (const cell of cells) if (!abort.signal.aborted) await runCell(cell, say);
    send({ type: "ended", shardId });
  } catch (error) {
    send({ type: "ended", shardId, error: { kind: "error", reason: error.message } });
  }
}

process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
process.on("message", (message) => {
  if (message.type === "open") {
    process.stderr.write(
      `${JSON.stringify({ level: "info", msg: "engine open", credential: process.env.OCCAM_TOKEN ?? "none" })}\n`,
    );
    if (message.backend === "tensorflow-gpu") {
      send({ type: "unusable", code: "unsupported", message: "no GPU here", hint: "use wasm" });
    } else send({ type: "ready", backend: "wasm", device: "scripted", memoryBytes: 1e9 });
  }
  if (message.type === "run") void run(message);
  if (message.type === "abort") abort.abort();
});
