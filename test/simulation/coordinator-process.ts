/**
 * One process of a coordinator, from its start to its end: the real coordinator and its real services on the run's disk and on a
 * clock of its own. With others beside it, it stands by until the real election has given it the seat.
 */
import { Coordinator } from "../../coordinator/coordinator.ts";
import { isOpen } from "../../coordinator/lease/cell-state.ts";
import { Election } from "../../coordinator/lead/election.ts";
import { seatOf, type Seat } from "../../coordinator/store/leader-seat.ts";
import { DEFAULT_TIMINGS } from "../../coordinator/timings.ts";
import { KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS } from "../../src/rpc/limits.ts";
import { messageOf } from "../../src/core/errors.ts";
import type { CellId, LeaseToken } from "../../src/core/ids.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { simSpecs } from "./cells.ts";
import { CoordinatorCalls } from "./coordinator-calls.ts";
import type { Dice } from "./dice.ts";
import { faultyStore, type Disk, type DiskUser } from "./disk.ts";
import type { History } from "./history.ts";
import type { Journal } from "./journal.ts";
import type { ProcessClock } from "./process-clock.ts";
import type { DiskWeather } from "./weather.ts";

/** Longer than by default: more happens between a decision and its write, in fewer transactions. */
const GATHER_MS = 10;

export interface CoordinatorWorld {
  readonly clock: FakeClock;
  readonly dice: Dice;
  readonly journal: Journal;
  readonly history: History;
  readonly disk: Disk;
  readonly diskWeather: DiskWeather;
  /** Several may run at once, and elect who leads. */
  readonly elects: boolean;
  /** It serves. */
  serving(process: CoordinatorProcess): void;
  /** It has ended. */
  ended(process: CoordinatorProcess, why: string): void;
}

export class CoordinatorProcess {
  readonly name: string;
  readonly clock: ProcessClock;
  /** When a lease that lived was last listed to it: true time, and how often its own clock had jumped by then. */
  readonly listedAt = new Map<LeaseToken, { readonly ms: number; readonly jumps: number }>();
  /** Tokens whose end as lost was looked at. */
  readonly judged = new Set<LeaseToken>();
  /** The last token of each cell. */
  readonly newest = new Map<CellId, LeaseToken>();
  /** Shards of a cell must be no wider than this: a wider one was out of memory. What was not stored is rightly forgotten. */
  readonly fits = new Map<CellId, number>();
  coordinator: Coordinator | undefined;
  calls: CoordinatorCalls | undefined;
  readonly #world: CoordinatorWorld;
  #epoch = 0n;
  readonly #resets = new Set<() => void>();

  constructor(world: CoordinatorWorld, name: string, clock: ProcessClock) {
    this.#world = world;
    this.name = name;
    this.clock = clock;
    void this.#run();
  }

  get alive(): boolean {
    return this.clock.alive;
  }

  /** Of a clock that nothing is wrong with. */
  get trueMs(): number {
    return this.#world.clock.monotonicMs();
  }

  /** kill -9. `reset`: those who wait for it are told by its machine; else the machine ended, and they find out. */
  end(why: string, reset: boolean): void {
    if (!this.alive) return;
    this.clock.kill();
    const resets = [...this.#resets];
    this.#resets.clear();
    this.#world.clock.after(reset ? 0 : KEEPALIVE_TIME_MS + KEEPALIVE_TIMEOUT_MS, () => {
      for (const tell of resets) tell();
    });
    this.#world.ended(this, why);
  }

  /** Called when the process has ended. The returned function takes it back. */
  onReset(tell: () => void): () => void {
    this.#resets.add(tell);
    return () => this.#resets.delete(tell);
  }

  /** The cell has no result. */
  isOpen(cellId: CellId): boolean {
    const state = this.coordinator!.hot.cells.get("", cellId)?.life.state;
    return state !== undefined && isOpen(state);
  }

  /** A worker says that it holds these. */
  listed(tokens: readonly LeaseToken[]): void {
    const { leases } = this.coordinator!.hot;
    const at = { ms: this.trueMs, jumps: this.clock.jumps };
    for (const token of tokens) {
      const lease = leases.get(token);
      if (lease !== undefined && lease.state.kind !== "ended") this.listedAt.set(token, at);
    }
  }

  async #run(): Promise<void> {
    try {
      const epoch = this.#world.elects ? await this.#win() : undefined;
      const { disk } = this.#world;
      const store = faultyStore(disk.store(epoch), this.#diskUser());
      const { clock } = this;
      const { journal } = this.#world;
      const logger = journal.logger(this.name, journal.read ? "debug" : "error");
      const coordinator = await Coordinator.open({
        store,
        clock,
        logger,
        specs: simSpecs,
        timings: { gatherMs: GATHER_MS },
      });
      if (!this.alive) return;
      void coordinator.failed.then((error) => this.end(messageOf(error), true));
      this.coordinator = coordinator;
      this.calls = new CoordinatorCalls(coordinator);
      this.#world.serving(this);
    } catch (error) {
      this.end(`it could not start: ${messageOf(error)}`, true);
    }
  }

  async #win(): Promise<bigint | undefined> {
    const election = new Election({
      seat: this.#seat(),
      address: this.name,
      clock: this.clock,
      logger: { warn: () => undefined },
      timings: DEFAULT_TIMINGS,
    });
    void election.lost.then((reason) => this.end(messageOf(reason), true));
    return election.win();
  }

  /** A dead process asks nothing. */
  #seat(): Seat {
    const seat = seatOf(this.#world.disk.db);
    const never = new Promise<never>(() => undefined);
    return {
      read: async () => (this.alive ? seat.read() : never),
      take: async (seen, address) => {
        const epoch = this.alive ? await seat.take(seen, address) : await never;
        if (epoch !== undefined) this.#world.history.epoch(epoch);
        return epoch;
      },
      renew: async (epoch) => (this.alive ? seat.renew(epoch) : never),
      free: async (epoch) => (this.alive ? seat.free(epoch) : never),
    };
  }

  #diskUser(): DiskUser {
    return {
      clock: this.clock,
      dice: this.#world.dice,
      weather: () => this.#world.diskWeather,
      crash: (why) => this.end(why, this.#world.dice.chance(0.5)),
      gone: () => !this.alive,
      began: (epoch) => {
        this.#epoch = epoch;
        this.#world.history.epoch(epoch);
      },
      wrote: () => this.#world.history.write(this.#epoch),
    };
  }
}
