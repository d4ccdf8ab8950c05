/**
 * Whose a worker id is. Worker ids and lease tokens are no secrets (logs and listings show them), so a token must not be able to
 * speak for the worker of another: the first token that comes with a worker id owns it while that worker is there or has leases.
 * A token whose entry has `workerIds` is held to ids that begin so, which also holds over a restart.
 *
 * With that, what a worker can touch follows from `lease/find-attempt.ts`: an attempt takes streams and outcomes from the worker
 * that it was granted to, and from nobody else.
 */
import { OccamError } from "../../src/core/errors.ts";
import { asSessionId, asWorkerId, type SessionId, type WorkerId } from "../../src/core/ids.ts";
import type { Principal } from "../../src/rpc/tokens.ts";
import type { Hot } from "../hot/hot.ts";
import { COORDINATOR_ID } from "../ingest/note-line.ts";
import { LIMITS } from "../limits.ts";
import { AUDIT_ID } from "./audit-id.ts";
import { required } from "./required.ts";

/** Lines in the log under these ids are the coordinator's own. */
const RESERVED: readonly string[] = [COORDINATOR_ID, AUDIT_ID];

export class WorkerOwners {
  readonly #hot: Pick<Hot, "sessions" | "leaseClock" | "timings">;
  readonly #owners = new Map<WorkerId, string>();

  constructor(hot: Pick<Hot, "sessions" | "leaseClock" | "timings">) {
    this.#hot = hot;
  }

  /**
   * The worker id of a request, when the caller may use it.
   * @throws "permission-denied" when it is another token's
   */
  claim(text: string, { name, workerIds }: Principal): WorkerId {
    const workerId = asWorkerId(required(text, "worker_id"));
    if (RESERVED.includes(workerId)) throw denied(`"${workerId}" is no id for a worker`);
    if (!workerId.startsWith(workerIds)) {
      throw denied(`the token "${name}" is for worker ids that begin with "${workerIds}", and this is "${workerId}"`);
    }
    const owner = this.#owners.get(workerId);
    if (owner === name) return workerId;
    if (owner !== undefined && this.#isThere(workerId)) {
      throw denied(`the worker id "${workerId}" is in use by the token "${owner}"`);
    }
    this.#owners.delete(workerId);
    this.#owners.set(workerId, name);
    this.#forgetOldest();
    return workerId;
  }

  /** It was heard of within a lease's ttl, or work is leased to it. */
  #isThere(workerId: WorkerId): boolean {
    const session = this.#hot.sessions.get(workerId);
    if (session === undefined) return false;
    const { leaseClock, timings } = this.#hot;
    const heard = session.seenMs !== undefined && leaseClock.nowMs() - session.seenMs < timings.leaseTtlMs;
    return heard || session.leases.size > 0;
  }

  #forgetOldest(): void {
    if (this.#owners.size <= LIMITS.workers) return;
    for (const workerId of this.#owners.keys()) {
      if (this.#isThere(workerId)) continue;
      this.#owners.delete(workerId);
      return;
    }
  }
}

/** A session's id. Those that begin so are the coordinator's own streams. @throws "permission-denied" */
export function claimSession(text: string): SessionId {
  const sessionId = asSessionId(required(text, "session_id"));
  if (sessionId.startsWith(`${COORDINATOR_ID}/`)) throw denied(`"${sessionId}" is no id for a worker's session`);
  return sessionId;
}

function denied(message: string): OccamError {
  return new OccamError("permission-denied", message, { hint: "give the worker an --id of its own" });
}
