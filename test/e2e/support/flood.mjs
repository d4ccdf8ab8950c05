// Workers that send metrics and log lines as fast as they are taken, by the real uploader. Arguments: address, token, how many, the spool's folder.
// Over IPC: tells when all of them hold cells; "count" -> records that are acknowledged.
import { systemClock } from "../../../dist/src/core/clock.js";
import { asSessionId, asWorkerId } from "../../../dist/src/core/ids.js";
import { rootKey } from "../../../dist/src/core/random.js";
import { NUMERICS_VERSION, PACKAGE_VERSION, PROTOCOL_VERSION } from "../../../dist/src/core/version.js";
import { coordinatorPeer } from "../../../dist/worker/session/coordinator-peer.js";
import { newSpoolFile } from "../../../dist/worker/session/spool-folder.js";
import { Spool } from "../../../dist/worker/session/spool.js";
import { Uploader } from "../../../dist/worker/session/uploader.js";

const [address, token, count, folder] = process.argv.slice(2);
const life = new AbortController().signal;
const flooders = [];

async function flooder(name) {
  const peer = coordinatorPeer({ address, token });
  const [workerId, sessionId] = [asWorkerId(name), asSessionId(`session of ${name}`)];
  const capabilities = {
    backend: "wasm",
    maxFuseWidth: 4,
    labels: {},
    memoryBytes: 0n,
    host: "h",
    pid: 1,
    packageVersion: PACKAGE_VERSION,
    numericsVersion: NUMERICS_VERSION,
  };
  const common = {
    protocolVersion: PROTOCOL_VERSION,
    oldestProtocolVersion: PROTOCOL_VERSION,
    workerId,
    sessionId,
    capabilities,
    draining: false,
    waitMs: 0,
    heardReply: 0n,
  };
  const [grant] = (await peer.sync({ ...common, freeSlots: 1, held: [] }, 5_000, life)).grants;
  const held = [{ token: grant.token, phase: 2, step: 1n, steps: 10n }];
  const beat = () => void peer.sync({ ...common, freeSlots: 0, held }, 5_000, life).catch(() => undefined);
  beat();
  setInterval(beat, 2_000);
  const onTrouble = () => undefined;
  const spool = new Spool({
    clock: systemClock,
    limitBytes: 1 << 28,
    segmentBytes: 1 << 22,
    newFile: () => newSpoolFile(folder, 1 << 22),
    onTrouble,
  });
  const key = rootKey(name);
  const uploader = new Uploader({
    workerId,
    sessionId,
    open: () => peer.push(),
    clock: systemClock,
    key,
    batchDelayMs: 250,
    spool,
    onPressure: onTrouble,
    onTrouble,
  });
  void uploader.run(life);
  return { uploader, attempts: grant.cells.map(({ cellId }) => ({ cellId, token: grant.token })), step: 0 };
}

function pour({ uploader, attempts }, flood) {
  for (const attempt of attempts) {
    if (uploader.unackedMemory > 4 << 20) return;
    const points = Array.from({ length: 1_000 }, (_, at) => ({
      series: "train.loss",
      step: flood.step + at,
      value: Math.sin(at),
    }));
    uploader.metrics(attempt, points);
    for (let line = 0; line < 10; line += 1)
      uploader.log(attempt, { timeMs: Date.now(), level: "info", message: `step ${flood.step}` });
  }
  flood.step += 1_000;
}

const given = () =>
  flooders.reduce(
    (sum, { uploader, attempts }) =>
      sum + attempts.reduce((each, attempt) => each + uploader.counts(attempt).metrics, 0),
    0,
  );

for (let at = 0; at < Number(count); at += 1) flooders.push(await flooder(`flood-${at}`));
process.send("ready");
process.on("disconnect", () => process.exit());
process.on("message", (question) => {
  if (question === "count") process.send(given());
  if (question !== "flood") return;
  const turn = () => {
    for (const flood of flooders) pour(flood, flood);
    setTimeout(turn, 1);
  };
  turn();
});
