/**
 * One of several coordinators on one store. It serves from the first moment: as a standby it refuses every call and says where
 * the leader is; once it is elected it rebuilds the memory from the store and answers.
 *
 * A lead that is lost ends the process (`failed`), and its supervisor starts it again as a standby. It does not go back by
 * itself: what it has in memory is of a time that is over, and ending is the one way to leave no call, timer or write of it
 * behind. A failed write ends a coordinator for the same reason.
 */
import type { Clock } from "../../src/core/clock.ts";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { Logger } from "../../src/core/log.ts";
import type { RunningServer, Service } from "../../src/rpc/server.ts";
import type { Coordinator } from "../coordinator.ts";
import type { Hot } from "../hot/hot.ts";
import type { PostgresDatabase } from "../store/postgres/open-postgres.ts";
import type { Store } from "../store/store.ts";
import type { Timings } from "../timings.ts";
import { Election } from "./election.ts";

export interface ReplicaOptions {
  readonly database: PostgresDatabase;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timings: Timings;
  /** Where others reach this coordinator. */
  readonly addressOf: (server: RunningServer) => string;
  /** Starts the server; `services` may be asked for once `refusal` gives no reason. */
  readonly serve: (services: () => readonly Service[], refusal: () => OccamError | undefined) => Promise<RunningServer>;
  readonly open: (store: Store) => Promise<Coordinator>;
  readonly servicesOf: (coordinator: Coordinator) => readonly Service[];
}

type Role =
  | { readonly kind: "standby" }
  | { readonly kind: "leader"; readonly coordinator: Coordinator; readonly services: readonly Service[] };

export class Replica {
  readonly server: RunningServer;
  /** Resolves when this process can no longer lead: it should end. */
  readonly failed: Promise<OccamError>;
  readonly #options: ReplicaOptions;
  readonly #address: string;
  readonly #election: Election;
  readonly #leading: Promise<void>;
  #role: Role = { kind: "standby" };
  #fail: (error: OccamError) => void = () => undefined;

  static async start(options: ReplicaOptions): Promise<Replica> {
    let replica: Replica | undefined;
    const server = await options.serve(
      () => replica!.#services(),
      () =>
        replica === undefined ? new OccamError("unavailable", "this coordinator is starting") : replica.#refusal(),
    );
    server.setServicesServing(false);
    return (replica = new Replica(options, server));
  }

  private constructor(options: ReplicaOptions, server: RunningServer) {
    const { database, clock, logger, timings } = options;
    this.#options = options;
    this.server = server;
    this.failed = new Promise((resolve) => (this.#fail = resolve));
    const address = options.addressOf(server);
    this.#address = address;
    this.#election = new Election({ seat: database.seat, address, clock, logger, timings });
    void this.#election.lost.then((reason) => this.#fail(reason));
    logger.info({ address, store: database.description }, "standing by");
    this.#leading = this.#lead();
  }

  /** The memory of the one that leads; a standby has none. */
  get hot(): Hot | undefined {
    return this.#role.kind === "leader" ? this.#role.coordinator.hot : undefined;
  }

  /** Finishes what is written, ends all calls, frees the seat, closes the store. */
  async stop(): Promise<void> {
    const { timings, database } = this.#options;
    this.server.setReady(false);
    // A candidate stops waiting; a leader keeps the seat until nothing more is written.
    if (this.#role.kind === "standby") await this.#election.stop();
    await this.#leading;
    const coordinator = this.#role.kind === "leader" ? this.#role.coordinator : undefined;
    // First what waits: long polls, watches and tails end, and with them their calls.
    await coordinator?.stop();
    await this.server.shutdown(timings.stopGraceMs);
    await coordinator?.stop();
    await this.#election.stop();
    await database.close();
  }

  async #lead(): Promise<void> {
    const { clock, logger, database } = this.#options;
    const epoch = await this.#election.win();
    if (epoch === undefined) return;
    const startMs = clock.monotonicMs();
    logger.info({ epoch: String(epoch) }, "elected");
    try {
      const coordinator = await this.#options.open(database.store(epoch));
      this.#role = { kind: "leader", coordinator, services: this.#options.servicesOf(coordinator) };
      // A write may have failed because another leads: that is what to say then.
      void coordinator.failed.then(async (error) => this.#fail((await this.#election.deposed()) ?? error));
      this.server.setServicesServing(true);
      const tookMs = Math.round(clock.monotonicMs() - startMs);
      logger.info({ epoch: String(epoch), cells: coordinator.hot.cells.size, tookMs }, "leading");
    } catch (error) {
      const text = `the lead could not be taken up: ${messageOf(error)}`;
      this.#fail(new OccamError("unavailable", text, { where: database.description, cause: error }));
    }
  }

  #services(): readonly Service[] {
    if (this.#role.kind === "leader") return this.#role.services;
    throw this.#refusal();
  }

  #refusal(): OccamError | undefined {
    if (this.#role.kind === "leader") return undefined;
    const { leader } = this.#election;
    const isSelf = leader === "" || leader === this.#address;
    if (isSelf) return new OccamError("unavailable", "this coordinator stands by, and none leads yet");
    return new OccamError("unavailable", `this coordinator stands by; the one at ${leader} leads`, {
      elsewhere: leader,
    });
  }
}
