/** Which coordinator a command talks to: --coordinator with a token, or the one of a running `occam run`. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OccamError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import type { Operator } from "./operator.ts";
import type { ClientTls } from "../rpc/tls.ts";
import { clientTls, type ClientTlsArgs } from "./tls.ts";
import { pathIn, requireToken } from "./token.ts";

export interface ConnectionArgs extends ClientTlsArgs {
  readonly coordinator: string;
  readonly "token-file": string | undefined;
  readonly run: string | undefined;
  readonly "allow-plaintext": boolean;
}

export interface Target {
  readonly address: string;
  readonly token: string;
  readonly tls?: ClientTls | undefined;
  readonly allowPlaintext?: boolean;
}

/** DIR/store/run.json: the coordinator of a running `occam run`. */
interface RunFile {
  readonly address: string;
  readonly token: string;
  /** Of the run, not of its coordinator. */
  readonly pid: number;
}

/** Opens a connection, gives it to `use`, and closes it whatever happens. */
export async function withOperator<T>(
  args: ConnectionArgs,
  io: Io,
  use: (operator: Operator) => Promise<T>,
): Promise<T> {
  const { openOperator } = await import("./operator.ts");
  const operator = openOperator(targetOf(args, io), io.clock);
  try {
    return await use(operator);
  } finally {
    operator.close();
  }
}

export function targetOf(args: ConnectionArgs, io: Io): Target {
  if (args.run !== undefined) return runTarget(args.run, io);
  return {
    address: args.coordinator,
    token: requireToken(args["token-file"], io),
    tls: clientTls(args, io),
    allowPlaintext: args["allow-plaintext"],
  };
}

/** The coordinator of the `occam run` that writes to this folder, on loopback. */
export function runTarget(outDir: string, io: Io): Target {
  const found = readRunFile(pathIn(io.cwd, outDir));
  if (found !== undefined) return found;
  throw new OccamError("unavailable", "no `occam run` writes to this folder now", { where: outDir });
}

const runFile = (outDir: string): string => join(outDir, "store", "run.json");

/** Is it alive, and does it answer? A file that a killed run left behind does not count. */
export async function isServed(outDir: string, io: Io): Promise<boolean> {
  const found = readRunFile(outDir);
  if (found === undefined || !isProcess(found.pid)) return false;
  const { openOperator } = await import("./operator.ts");
  const operator = openOperator(found, io.clock);
  try {
    await operator.server();
    return true;
  } catch {
    return false;
  } finally {
    operator.close();
  }
}

function isProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Another user's process refuses the signal, and so it is there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Lets `--run DIR` find the coordinator while it runs. Readable by this user alone, for it holds the token. */
export function writeRunFile(outDir: string, target: Pick<RunFile, "address" | "token">): () => void {
  const path = runFile(outDir);
  rmSync(path, { force: true });
  writeFileSync(path, JSON.stringify({ ...target, pid: process.pid } satisfies RunFile), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

function readRunFile(outDir: string): RunFile | undefined {
  try {
    const { address, token, pid } = JSON.parse(readFileSync(runFile(outDir), "utf8")) as Partial<RunFile>;
    if (typeof address === "string" && typeof token === "string" && typeof pid === "number")
      return { address, token, pid };
  } catch {
    // No such file, or half of one: nothing runs there.
  }
  return undefined;
}
