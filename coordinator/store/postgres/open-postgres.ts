/**
 * Opens a store in a PostgreSQL database. Any number of processes may open it; the leader row says which of them writes
 * (`leader-seat.ts`).
 */
import { Socket } from "node:net";
import {
  Kysely,
  PostgresDialect,
  PostgresDriver,
  sql,
  type DatabaseConnection,
  type PostgresDialectConfig,
} from "kysely";
import { Pool, types } from "pg";
import { invariant, OccamError } from "../../../src/core/errors.ts";
import type { Logger } from "../../../src/core/log.ts";
import { describeUrl } from "../../../src/core/postgres-url.ts";
import { seatOf, type Seat } from "../leader-seat.ts";
import { migrate } from "../migrate.ts";
import { SqlStore } from "../sql-store.ts";
import type { Store } from "../store.ts";
import type { DialectTypes, Tables } from "../tables.ts";
import { DEFAULT_TIMINGS } from "../../timings.ts";
import { explained } from "./postgres-error.ts";
import { postgresRows } from "./postgres-rows.ts";

/** One writes, one renews, the others read pages of listings. */
const CONNECTIONS = 8;
const CONNECT_TIMEOUT_MS = 10_000;
/** After this long the pool closes a connection that nothing is asked over, well before its silence would. */
const IDLE_CONNECTION_MS = 10_000;
/**
 * A process that is stopped in the middle of a transaction holds its row locks, the leader row's among them. The server ends
 * such a transaction after this long, so that another can lead.
 */
const IDLE_TRANSACTION_MS = 5_000;
/** Of the advisory lock that migrations run under; the number says "occam". */
const MIGRATION_LOCK = 0x6f6363616d;

/** The types of PostgreSQL's catalogue, by their numbers there. */
const INT8 = 20;

export const POSTGRES_TYPES: DialectTypes = {
  dialect: "postgres",
  int8: "int8",
  bytes: "bytea",
  id: sql`text collate "C"`,
};

export interface PostgresDatabase {
  readonly seat: Seat;
  /** For people, without the password. */
  readonly description: string;
  /** The store, written to under an epoch that an election gave, or under one that it begins by itself. */
  store(epoch?: bigint): Store;
  close(): Promise<void>;
}

/**
 * @param silenceMs see `Timings.storeSilenceMs`
 * @throws OccamError "unavailable", "permission-denied", "bad-config" or "store-newer", each with what to do
 */
export async function openPostgres(
  url: string,
  logger: Pick<Logger, "warn">,
  silenceMs = DEFAULT_TIMINGS.storeSilenceMs,
): Promise<PostgresDatabase> {
  const { db, where } = connectPostgres(url, logger, silenceMs);
  try {
    await migrate(db, POSTGRES_TYPES, where, lockMigrations);
  } catch (error) {
    await db.destroy();
    throw explained(error, where);
  }
  const description = `postgres ${where}`;
  return {
    seat: seatOf(db),
    description,
    close: () => db.destroy(),
    store: (epoch) => {
      const begun = (): Promise<void> => analyze(db);
      return new SqlStore({
        db,
        description,
        rows: postgresRows,
        leaderEpoch,
        begun,
        ...(epoch !== undefined && { epoch }),
      });
    },
  };
}

/**
 * Reaches out when the first query is sent, and looks at nothing.
 * @param silenceMs left out: a statement may take for ever, as one that reads or fills a whole store does
 */
export function connectPostgres(
  url: string,
  logger: Pick<Logger, "warn">,
  silenceMs?: number,
): { readonly db: Kysely<Tables>; readonly where: string } {
  const where = describeUrl(url);
  const pool = poolOf(url, silenceMs);
  // Without listeners a connection that the server closes ends the process: the pool's hears of idle ones, a connection's own of
  // one that is in a transaction, between two statements. The next statement fails, or is sent over another connection.
  const closed = (error: Error): void => logger.warn({ reason: error.message }, "PostgreSQL closed a connection");
  pool.on("error", closed);
  pool.on("connect", (client) => client.on("error", closed));
  return { db: new Kysely<Tables>({ dialect: new QuietRollbackDialect({ pool }) }), where };
}

/** After an error the connection may be gone: the error of the ROLLBACK would hide the real one. The pool drops such a one. */
class QuietRollbackDialect extends PostgresDialect {
  readonly #config: PostgresDialectConfig;

  constructor(config: PostgresDialectConfig) {
    super(config);
    this.#config = config;
  }

  override createDriver(): PostgresDriver {
    return new (class extends PostgresDriver {
      override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
        await super.rollbackTransaction(connection).catch(() => undefined);
      }
    })(this.#config);
  }
}

function poolOf(url: string, silenceMs: number | undefined): Pool {
  return new Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: silenceMs === undefined ? IDLE_CONNECTION_MS : Math.min(IDLE_CONNECTION_MS, silenceMs / 2),
    keepAlive: true,
    ...(silenceMs === undefined ? {} : { stream: () => endedBySilence(silenceMs) }),
    application_name: "occam",
    types: {
      getTypeParser: ((oid: number, format: "text") =>
        oid === INT8 ? wholeNumber : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
    },
  });
}

/** TCP itself gives up an unanswered connection after some fifteen minutes, and one that waits for an answer after two hours. */
function endedBySilence(silenceMs: number): Socket {
  const socket = new Socket();
  const text = `PostgreSQL has not answered for ${silenceMs / 1000} s`;
  return socket.setTimeout(silenceMs, () => socket.destroy(new OccamError("unavailable", text)));
}

/** Keys, counts and times stay below 2^53; seeds, which do not, are text. */
function wholeNumber(text: string): number {
  const value = Number(text);
  invariant(Number.isSafeInteger(value), `the database holds ${text}, which is no exact number here`);
  return value;
}

/**
 * A start reads pending cells by pages. A server that does not know yet what was written since its last look (it looks once a
 * minute) sorts all of them for each page, which made the start with a million 30 s longer.
 */
async function analyze(db: Kysely<Tables>): Promise<void> {
  await sql`analyze cell, sweep_cell, attempt, result`.execute(db);
}

/** Two servers that start at once: the second waits, and finds nothing to do. */
export async function lockMigrations(transaction: Kysely<Tables>): Promise<void> {
  await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(transaction);
}

/** The same statement makes the transaction durable on a server that does not by default, and lets it not be held for ever. */
async function leaderEpoch(transaction: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ epoch: number }>`select epoch,
      set_config('idle_in_transaction_session_timeout', ${String(IDLE_TRANSACTION_MS)}, true),
      set_config('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on'
        else current_setting('synchronous_commit') end, true)
    from leader for share`.execute(transaction);
  invariant(rows.length === 1, "the leader row is missing");
  return rows[0]!.epoch;
}
