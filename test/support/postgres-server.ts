/**
 * A real PostgreSQL for tests: a cluster of its own in a temporary folder, on loopback, with a password and with fsync on.
 * Its programs come from Debian's package `postgresql` or from PATH; where there are none, `postgresMissing` says so.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Client } from "pg";

const DEBIAN = "/usr/lib/postgresql";
const USER = "occam";
/** What no log and no error may show. */
export const PASSWORD = "pa55-w0rd-of-the-tests";
const START_LIMIT_MS = 60_000;

const bin = binFolder();

/** Why there is no server here; undefined: there is one. For the name of a skipped suite. */
export const postgresMissing: string | undefined =
  bin === undefined
    ? `skipped: no PostgreSQL in ${DEBIAN} or PATH`
    : process.getuid?.() === 0 && owner() === undefined
      ? "skipped: PostgreSQL does not run as root, and there is no user postgres"
      : undefined;

export interface PostgresServer {
  readonly port: number;
  /** Of an empty schema that is new: what a database is to its user, and made faster. */
  newDatabase(): Promise<string>;
  /** Cuts all connections and takes none until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it for good and removes its folder. */
  remove(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const folder = mkdtempSync(join(tmpdir(), "occam-postgres-"));
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, PASSWORD);
  const as = process.getuid?.() === 0 ? owner() : undefined;
  for (const path of [folder, passwordFile]) if (as !== undefined) chownSync(path, as.uid, as.gid);
  const data = join(folder, "data");
  const auth = ["--username", USER, "--auth", "scram-sha-256", "--pwfile", passwordFile];
  const made = spawnSync(
    join(bin!, "initdb"),
    ["-D", data, ...auth, "--encoding", "UTF8", "--locale", "C", "--no-sync"],
    {
      ...as,
      encoding: "utf8",
    },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}${made.error?.message ?? ""}`);
  const port = await freePort();
  const url = (database: string): string => `postgres://${USER}:${PASSWORD}@127.0.0.1:${port}/${database}`;
  let process_: ChildProcess | undefined;
  let databases = 0;
  const start = async (): Promise<void> => {
    const flags = ["-p", String(port), "-k", folder, "-h", "127.0.0.1", "-c", "fsync=on"];
    process_ = spawn(join(bin!, "postgres"), ["-D", data, ...flags], { ...as, stdio: "ignore" });
    await untilReady(url("postgres"));
  };
  /** SIGINT is PostgreSQL's fast shutdown. */
  const stop = async (): Promise<void> => {
    const ended = new Promise((resolve) => process_?.once("exit", resolve));
    if (process_?.exitCode === null && process_.kill("SIGINT")) await ended;
  };
  await start();
  process.once("exit", () => process_?.kill("SIGQUIT"));
  return {
    port,
    newDatabase: async () => {
      const name = `test_${(databases += 1)}`;
      await query(url("postgres"), `create schema ${name}`);
      return `${url("postgres")}?options=${encodeURIComponent(`-c search_path=${name}`)}`;
    },
    stop,
    start,
    remove: async () => {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** One statement on a connection of its own. */
export async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The newest version's. */
function binFolder(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((left, right) => Number(right) - Number(left)) : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, "bin")),
    ...(process.env["PATH"] ?? "").split(delimiter),
  ];
  return folders.find((folder) => existsSync(join(folder, "initdb")) && existsSync(join(folder, "postgres")));
}

/** The user that Debian's package makes. */
function owner(): { readonly uid: number; readonly gid: number } | undefined {
  try {
    const id = (flag: string): number =>
      Number(execFileSync("id", [flag, "postgres"], { stdio: ["ignore", "pipe", "ignore"] }));
    return { uid: id("-u"), gid: id("-g") };
  } catch {
    return undefined;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function untilReady(url: string): Promise<void> {
  const endMs = Date.now() + START_LIMIT_MS;
  for (;;) {
    try {
      return void (await query(url, "select 1"));
    } catch (error) {
      if (Date.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
