/** The secret that coordinator, workers and CLI share: made, kept in a file (0600), found. It never stands on a command line. */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { messageOf, OccamError } from "../core/errors.ts";
import type { Io } from "./io.ts";

/** 256 bits, so that guessing is out of the question. */
export const generateToken = (): string => randomBytes(32).toString("base64url");

export const pathIn = (cwd: string, path: string): string => (isAbsolute(path) ? path : join(cwd, path));

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new OccamError("bad-config", `the token file cannot be read: ${messageOf(cause)}`, { where: path, cause });
  }
  if (token === "") throw new OccamError("bad-config", "the token file is empty", { where: path });
  return token;
}

/** The token of --token-file, else of OCCAM_TOKEN. (settings.ts sees to it that a file named in settings yields to OCCAM_TOKEN.) */
export function findToken(tokenFile: string | undefined, io: Io): string | undefined {
  if (tokenFile !== undefined) return readToken(pathIn(io.cwd, tokenFile));
  const token = io.env["OCCAM_TOKEN"]?.trim();
  return token === undefined || token === "" ? undefined : token;
}

export function requireToken(tokenFile: string | undefined, io: Io): string {
  const token = findToken(tokenFile, io);
  if (token !== undefined) return token;
  throw new OccamError("unauthenticated", "no token", {
    hint: "Give --token-file FILE or set OCCAM_TOKEN; a coordinator keeps its token in the file `token` of its store.",
  });
}

/** The token of a store, made at the first start. */
export function storeToken(storeDir: string): { readonly token: string; readonly path: string } {
  const path = join(storeDir, "token");
  try {
    writeFileSync(path, `${generateToken()}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw new OccamError("bad-config", `the store's token cannot be written: ${messageOf(error)}`, { where: path });
    }
  }
  return { token: readToken(path), path };
}
