/** Which cells of a sweep have a result in the store of an `occam run`. */
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { OccamError } from "../core/errors.ts";
import { createLogger } from "../core/log.ts";
import type { GridPoint } from "../spec/sweep.ts";
import { runTarget } from "./connection.ts";
import type { Io } from "./io.ts";
import { openOperator, type Operator } from "./operator.ts";
import { generateToken } from "./token.ts";

/** Ids of one question: about 6 MiB on the wire would be the most that fits. */
const BATCH = 10_000;

/** Undefined when there is no store, or none that can be read now. */
export async function cachedCells(
  storeDir: string,
  points: () => Iterable<GridPoint>,
  io: Io,
): Promise<ReadonlySet<string> | undefined> {
  if (!existsSync(storeDir)) return undefined;
  return (await askRunning(storeDir, points, io)) ?? askStore(storeDir, points, io);
}

/** The `occam run` that uses the store at this moment, if any. */
async function askRunning(storeDir: string, points: () => Iterable<GridPoint>, io: Io) {
  try {
    return await ask(openOperator(runTarget(dirname(storeDir), io), io.clock), points());
  } catch (error) {
    if (error instanceof OccamError && error.code === "unavailable") return undefined;
    throw error;
  }
}

/** A coordinator of our own for a moment: it alone knows how to read a store. */
async function askStore(storeDir: string, points: () => Iterable<GridPoint>, io: Io) {
  // oxlint-disable-next-line no-restricted-imports -- the coordinator's main, loaded when there is a store to read
  const { startCoordinator } = await import("../../coordinator/main.ts");
  const { oneToken } = await import("../rpc/tokens.ts");
  const token = generateToken();
  const tokens = oneToken(token);
  const logger = createLogger({ component: "coordinator", level: "error" });
  const coordinator = await startCoordinator({
    store: storeDir,
    host: "127.0.0.1",
    port: 0,
    tokens,
    clock: io.clock,
    logger,
  });
  try {
    return await ask(openOperator({ address: coordinator.address, token }, io.clock), points());
  } finally {
    await coordinator.stop();
  }
}

async function ask(operator: Operator, points: Iterable<GridPoint>): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const flush = async (ids: readonly string[]): Promise<void> => {
    for (const id of (await operator.cached(ids)).cellIds) found.add(id);
  };
  try {
    let batch: string[] = [];
    for (const { cell } of points) {
      batch.push(cell.id);
      if (batch.length < BATCH) continue;
      await flush(batch);
      batch = [];
    }
    if (batch.length > 0) await flush(batch);
    return found;
  } finally {
    operator.close();
  }
}
