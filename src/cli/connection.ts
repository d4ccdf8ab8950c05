/** Which coordinator a command talks to: --coordinator with a token, or the one of a running `occam run`. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OccamError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import type { Operator } from "./operator.ts";
import { pathIn, requireToken } from "./token.ts";

export interface ConnectionArgs {
  readonly coordinator: string;
  readonly "token-file": string | undefined;
  readonly run: string | undefined;
}

interface Target {
  readonly address: string;
  readonly token: string;
}

/** Opens a connection, gives it to `use`, and closes it whatever happens. */
export async function withOperator<T>(
  args: ConnectionArgs,
  io: Io,
  use: (operator: Operator) => Promise<T>,
): Promise<T> {
  const { openOperator } = await import("./operator.ts");
  const { address, token } = targetOf(args, io);
  const operator = openOperator(address, token, io.clock);
  try {
    return await use(operator);
  } finally {
    operator.close();
  }
}

export function targetOf(args: ConnectionArgs, io: Io): Target {
  if (args.run !== undefined) return readRunFile(pathIn(io.cwd, args.run));
  return { address: args.coordinator, token: requireToken(args["token-file"], io) };
}

const runFile = (outDir: string): string => join(outDir, "store", "run.json");

/** Lets `--run DIR` find the coordinator while it runs. Readable by this user alone, for it holds the token. */
export function writeRunFile(outDir: string, target: Target): () => void {
  const path = runFile(outDir);
  rmSync(path, { force: true });
  writeFileSync(path, JSON.stringify(target), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

function readRunFile(outDir: string): Target {
  try {
    const { address, token } = JSON.parse(readFileSync(runFile(outDir), "utf8")) as Partial<Target>;
    if (typeof address === "string" && typeof token === "string") return { address, token };
  } catch {
    // No such file, or half of one: nothing runs there.
  }
  throw new OccamError("unavailable", "no `occam run` writes to this folder now", { where: outDir });
}
