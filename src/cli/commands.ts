/** Every command, in the order of the help text. */
import type { Command, CommandGroup } from "./command.ts";
import { calibrateCommand } from "./commands/calibrate.ts";
import { cancelCommand } from "./commands/cancel.ts";
import { coordinatorCommand } from "./commands/coordinator.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { selftestCommand } from "./commands/selftest.ts";
import { logsCommand } from "./commands/logs.ts";
import { planCommand } from "./commands/plan.ts";
import { resultsCommand } from "./commands/results.ts";
import { runCommand } from "./commands/run.ts";
import { statusCommand } from "./commands/status.ts";
import { storeCommands } from "./commands/store.ts";
import { submitCommand } from "./commands/submit.ts";
import { tokenCommand } from "./commands/token.ts";
import { versionCommand } from "./commands/version.ts";
import { watchCommand } from "./commands/watch.ts";
import { workerCommand } from "./commands/worker.ts";

export const COMMANDS: readonly Command[] = [
  runCommand,
  planCommand,
  calibrateCommand,
  coordinatorCommand,
  workerCommand,
  submitCommand,
  statusCommand,
  watchCommand,
  logsCommand,
  resultsCommand,
  cancelCommand,
  tokenCommand,
  doctorCommand,
  selftestCommand,
  versionCommand,
];

/** After the commands. */
export const GROUPS: readonly CommandGroup[] = [storeCommands];
