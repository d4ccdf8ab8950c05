/** An attempt by (token, cell): from memory while its lease is there, else from the store. */
import type { CellId, LeaseToken, WorkerId } from "../../src/core/ids.ts";
import type { Hot } from "../hot/hot.ts";
import type { AttemptEnd } from "../store/change.ts";
import type { StoredCell } from "../store/store.ts";

export interface FoundAttempt {
  readonly workerId: WorkerId;
  readonly cellKey: number;
  readonly scope: string;
  /** undefined: it goes on. */
  readonly ended: AttemptEnd | undefined;
  /** The cell as it is stored, when it is not in memory. */
  readonly stored: StoredCell | undefined;
}

/**
 * undefined: no such lease was ever granted for this cell. What it says was true when it was read: the caller looks for the
 * cell in memory again before it decides.
 */
export async function findAttempt(hot: Hot, token: LeaseToken, cellId: CellId): Promise<FoundAttempt | undefined> {
  return attemptInMemory(hot, token, cellId) ?? attemptInStore(hot, token, cellId);
}

export function attemptInMemory(hot: Hot, token: LeaseToken, cellId: CellId): FoundAttempt | undefined {
  const lease = hot.leases.get(token);
  const member = lease?.members.get(cellId);
  if (lease === undefined || member === undefined) return undefined;
  const { key: cellKey, scope } = member.cell;
  if (hot.cells.get(scope, cellId) === undefined) return undefined;
  return { workerId: lease.workerId, cellKey, scope, ended: member.ended, stored: undefined };
}

async function attemptInStore(hot: Hot, token: LeaseToken, cellId: CellId): Promise<FoundAttempt | undefined> {
  const found = await hot.store.findAttempt(token, cellId);
  if (found === undefined) return undefined;
  const { cell, workerId } = found;
  return { workerId, cellKey: cell.key, scope: cell.scope, ended: found.ended ?? undefined, stored: cell };
}
