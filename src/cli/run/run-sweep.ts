/**
 * `occam run`: one sweep on this machine, from file to report.
 *
 * 1. Check the whole file; print what will be done.
 * 2. Start a coordinator on DIR/store, and a worker beside it; submit the sweep. Whatever was acked by an earlier run is there.
 * 3. Start the other workers and follow the sweep until it ends, the user stops it, or nothing is left that could go on.
 * 4. Drain the workers, write the artifacts from what the store has, end the coordinator.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { EXIT, messageOf, OccamError } from "../../core/errors.ts";
import { isServed, writeRunFile } from "../connection.ts";
import type { Io } from "../io.ts";
import { progressView } from "../output/progress-view.ts";
import type { SpecFile } from "../spec-file.ts";
import { generateToken } from "../token.ts";
import { aborted, firstOf, listenForInterrupts } from "./interrupts.ts";
import { LocalCluster, storeInUse } from "./local-cluster.ts";

export interface RunArgs {
  readonly outDir: string;
  /** Undefined: as many as are good for the backend. */
  readonly workers: number | undefined;
  readonly fuseWidth: number | undefined;
  readonly backend: string;
  readonly noCache: boolean;
  readonly logLevel: string;
}

/** @param brief prints what will be done; called while the processes start */
export async function runSweep(file: SpecFile, args: RunArgs, io: Io, brief: () => Promise<void>): Promise<number> {
  const interrupts = listenForInterrupts();
  if (interrupts.stop.aborted) return stoppedEarly(io);
  const storeDir = join(args.outDir, "store");
  makeFolder(storeDir);
  if (await isServed(args.outDir, io)) throw storeInUse(args.outDir);
  const token = generateToken();
  const view = progressView(io.out, io.clock, io.env["TERM"] === "dumb");
  // oxlint-disable-next-line no-restricted-imports -- only a worker knows its backends
  const { onlyWasmCanWork } = await import("../../../worker/engine/only-wasm.ts");
  const cluster = new LocalCluster({
    ...args,
    onlyWasm: onlyWasmCanWork(),
    mostCells: file.spec.gridSize,
    storeDir,
    token,
    env: io.env,
    cwd: io.cwd,
    clock: io.clock,
    note: (text) => void view.note(io.out.paint("yellow", text)),
  });
  void aborted(interrupts.kill).then(() => cluster.kill());
  // An exit by whatever way takes the children along; a SIGKILL they notice by themselves.
  process.once("exit", () => cluster.kill());
  await cluster.start();
  try {
    await brief();
    const { runOn } = await import("./run-on-cluster.ts");
    const address = await firstOf(cluster.ready, interrupts.stop);
    if (address === undefined) {
      await Promise.race([stop(cluster), aborted(interrupts.kill)]);
      return await stoppedEarly(io);
    }
    const forgetRun = writeRunFile(args.outDir, { address, token });
    try {
      return await runOn({ address, token }, cluster, file, args, io, view, interrupts);
    } finally {
      forgetRun();
    }
  } finally {
    cluster.kill();
    interrupts.dispose();
  }
}

async function stop(cluster: LocalCluster): Promise<void> {
  await cluster.drainWorkers();
  await cluster.stop();
}

async function stoppedEarly(io: Io): Promise<number> {
  await io.out.write("stopped before it began; run the same command to go on\n");
  return EXIT.drained;
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new OccamError("bad-config", `the folder cannot be made: ${messageOf(cause)}`, { where: path, cause });
  }
}
