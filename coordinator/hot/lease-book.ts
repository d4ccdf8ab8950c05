/**
 * The leases that live, and ended ones until their end is durable. Ended leases are read from the store.
 *
 * Invariants:
 * 1. Tokens grow with every grant on one store.
 * 2. `leasedFlops` is the sum over live leases of the operations that are still to do.
 */
import { invariant } from "../../src/core/errors.ts";
import {
  asLeaseToken,
  type CellId,
  type FuseKey,
  type LeaseToken,
  type SessionId,
  type WorkerId,
} from "../../src/core/ids.ts";
import {
  remainingShare,
  transition,
  type LeaseEnd,
  type LeaseEvent,
  type LeaseProgress,
  type LeaseState,
} from "../lease/lease-state.ts";
import type { AttemptEnd } from "../store/change.ts";
import type { Timings } from "../timings.ts";
import type { HotCell } from "./cell-book.ts";

export interface LeaseMember {
  readonly cell: HotCell;
  /** undefined: the attempt goes on. */
  readonly ended: AttemptEnd | undefined;
  /** Why the worker should stop it; "": it should not. */
  readonly revoked: string;
}

export interface HotLease {
  readonly token: LeaseToken;
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly fuseKey: FuseKey;
  /** Cells that it was granted with. */
  readonly width: number;
  readonly state: LeaseState;
  readonly members: ReadonlyMap<CellId, LeaseMember>;
  /** Members whose attempt goes on. */
  readonly open: number;
  /** Its worker was told of everything that was revoked. */
  readonly told: boolean;
  /** The span of its grant; "" when nothing is traced, and after a restart. */
  readonly traceparent: string;
}

interface Member extends LeaseMember {
  ended: AttemptEnd | undefined;
  revoked: string;
}

interface Entry extends HotLease {
  state: LeaseState;
  readonly members: Map<CellId, Member>;
  open: number;
  told: boolean;
  readonly flopsPerCell: number;
  /** What it contributes to `leasedFlops`. */
  remainingFlops: number;
}

export interface NewLease {
  readonly token: LeaseToken;
  readonly workerId: WorkerId;
  readonly sessionId: SessionId;
  readonly fuseKey: FuseKey;
  readonly width: number;
  readonly cells: readonly HotCell[];
  readonly state: LeaseState;
  readonly flopsPerCell: number;
  readonly traceparent?: string;
}

/** Leases that are remembered after their end, to tell a worker why: a heartbeat's worth of a large cluster. */
const WHYS_MAX = 10_000;

export class LeaseBook {
  readonly #leases = new Map<LeaseToken, Entry>();
  readonly #timings: Timings;
  readonly #whyEnded = new Map<LeaseToken, string>();
  #nextToken: number;
  #leasedFlops = 0;

  constructor(nextToken: number, timings: Timings) {
    this.#nextToken = nextToken;
    this.#timings = timings;
  }

  get leasedFlops(): number {
    return this.#leasedFlops;
  }

  newToken(): LeaseToken {
    const token = asLeaseToken(BigInt(this.#nextToken));
    this.#nextToken += 1;
    return token;
  }

  get(token: LeaseToken): HotLease | undefined {
    return this.#leases.get(token);
  }

  /** Live leases, and those whose end is not durable yet. */
  all(): Iterable<HotLease> {
    return this.#leases.values();
  }

  add(lease: NewLease): HotLease {
    const { cells, traceparent = "", ...rest } = lease;
    const members = new Map(cells.map((cell): [CellId, Member] => [cell.id, { cell, ended: undefined, revoked: "" }]));
    const entry: Entry = { ...rest, traceparent, members, open: cells.length, told: true, remainingFlops: 0 };
    this.#leases.set(entry.token, entry);
    this.#weigh(entry);
    return entry;
  }

  /** Its worker lists it. */
  list(lease: HotLease, nowMs: number, progress: LeaseProgress): void {
    this.#apply(lease, { kind: "listed", nowMs, progress });
  }

  /** How the event ends the lease; undefined when it does not. */
  end(lease: HotLease, event: LeaseEvent): LeaseEnd | undefined {
    this.#apply(lease, event);
    return lease.state.kind === "ended" ? lease.state.end : undefined;
  }

  /** Its worker is being told of what was revoked. */
  told(token: LeaseToken): void {
    const entry = this.#leases.get(token);
    if (entry !== undefined) entry.told = true;
  }

  #apply(lease: HotLease, event: LeaseEvent): void {
    const entry = lease as Entry;
    const next = transition(entry.state, event, this.#timings);
    if (next === undefined) return;
    entry.state = next;
    this.#weigh(entry);
  }

  /** Ends the attempt of one of its cells; `revoked`: its worker is to be told to stop it. */
  endMember(lease: HotLease, cellId: CellId, ended: AttemptEnd, revoked = ""): void {
    const entry = lease as Entry;
    const member = entry.members.get(cellId);
    invariant(member !== undefined, `lease ${lease.token} has cell ${cellId}`);
    if (member.ended === undefined) entry.open -= 1;
    member.ended = ended;
    if (revoked !== "") {
      member.revoked = revoked;
      entry.told = false;
    }
    this.#weigh(entry);
  }

  /** To be called once its end is durable. */
  drop(lease: HotLease): void {
    invariant(lease.state.kind === "ended", `lease ${lease.token} has ended`);
    this.#leases.delete(lease.token);
    this.#whyEnded.set(lease.token, whyEnded(lease));
    if (this.#whyEnded.size > WHYS_MAX) this.#whyEnded.delete(this.#whyEnded.keys().next().value!);
  }

  /** For a worker that holds a lease which is no more. */
  whyEnded(token: LeaseToken): string {
    const lease = this.#leases.get(token);
    return (lease === undefined ? this.#whyEnded.get(token) : whyEnded(lease)) ?? "the lease has ended";
  }

  #weigh(entry: Entry): void {
    const remaining = entry.open * entry.flopsPerCell * remainingShare(entry.state);
    this.#leasedFlops = Math.max(0, this.#leasedFlops + remaining - entry.remainingFlops);
    entry.remainingFlops = remaining;
  }
}

function whyEnded({ state, members }: HotLease): string {
  for (const { revoked } of members.values()) if (revoked !== "") return revoked;
  return state.kind === "ended" ? `the lease has ended: ${state.end}` : "";
}
