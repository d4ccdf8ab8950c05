/**
 * A process of the selftest: opens the engine once and runs one job at a time. It ends when its channel closes, so that a
 * selftest that was killed leaves nobody behind; Ctrl-C reaches the whole process group and is the selftest's affair.
 */
import { systemClock } from "../../src/core/clock.ts";
import { EXIT_OF, messageOf, OccamError } from "../../src/core/errors.ts";
import { openEngine } from "../engine/engine.ts";
import type { FromBench, JobName, ToBench } from "./protocol.ts";
import type { Bench } from "./section.ts";
import { SECTIONS } from "./sections.ts";

const opened: { bench?: Bench } = {};

async function hear(message: ToBench): Promise<void> {
  try {
    if (message.type === "job") tell(await runJob(message.job));
    else {
      const engine = await openEngine(message.backend, { clock: systemClock });
      opened.bench = { engine, seed: message.seed, budget: message.budget };
      tell({ type: "ready", backend: engine.backend, device: engine.device });
    }
  } catch (error) {
    const code = error instanceof OccamError ? error.code : "internal";
    const hint = error instanceof OccamError ? error.hint : undefined;
    tell({ type: "failed", code, message: messageOf(error), hint });
  }
}

async function runJob({ section, index }: JobName): Promise<FromBench> {
  const job = SECTIONS.find(({ name }) => name === section)?.jobs[index];
  if (job === undefined || opened.bench === undefined)
    throw new OccamError("internal", `no job ${index} of ${section}`);
  const before = process.cpuUsage();
  const rows = await job.run(opened.bench);
  const { user, system } = process.cpuUsage(before);
  return { type: "rows", rows, cpuMs: (user + system) / 1000 };
}

function tell(message: FromBench): void {
  process.send?.(message);
}

if (process.send === undefined) {
  process.stderr.write("this is a process of the selftest; start `occam selftest` instead\n");
  process.exit(EXIT_OF["bad-usage"]);
}
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);
process.once("disconnect", () => process.exit(0));
// The selftest may have gone while this process was loading.
if (!process.connected) process.exit(0);
process.on("message", (message: ToBench) => void hear(message));
