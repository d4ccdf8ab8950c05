/** What goes wrong in a run by chance, beside the weather. */
import { AgentWorker } from "./agent-worker.ts";
import type { World } from "./world.ts";

const FAULTS = [
  "kill",
  "kill",
  "kill the trainer",
  "stop a worker",
  "stop the coordinator",
  "cut",
  "clone",
  "drain",
  "crash",
  "crash",
  "cancel",
  "submit again",
  "set a date",
  "sleep",
] as const;

/** One of them. */
export async function randomFault(world: World): Promise<void> {
  const { dice, network, clock } = world;
  const worker = dice.pick(world.workers);
  const fault = dice.pick(FAULTS);
  world.journal.note(() => `fault: ${fault} (${worker.id})`);
  switch (fault) {
    case "kill":
      return world.kill(worker);
    case "kill the trainer":
      if (worker instanceof AgentWorker) worker.killTrainer();
      return;
    case "stop a worker":
      return worker.standStill(dice.integer(1_000, 90_000));
    case "stop the coordinator":
      return world.processes.at(-1)?.clock.standStill(dice.pick([1_000, 5_000, 20_000, 45_000]));
    case "cut":
      return network.cutOff(
        worker.id,
        dice.pick(["both", "up", "down"] as const),
        dice.pick([5_000, 5_000, 20_000, 60_000, 600_000]),
      );
    case "clone":
      return world.startWorker(worker.id);
    case "drain":
      return worker.drain();
    case "crash":
      world.crash();
      return world.checkStore();
    case "cancel": {
      const sweep = world.coordinator?.hot.sweeps.all()[0];
      if (sweep === undefined) return;
      world.history.cancelled = true;
      void world.coordinator?.sweeps.cancel(sweep).catch(() => undefined);
      return void clock.after(dice.integer(0, 20_000), () => world.submit());
    }
    case "submit again":
      return world.submit();
    case "set a date":
      return dice.pick([...world.processes, worker]).clock.setDate(dice.pick([-3_600_000, 3_600_000]));
    case "sleep":
      return world.sleepAll(dice.pick([60_000, 3_600_000]));
  }
}
