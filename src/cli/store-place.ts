/** What --store names: a folder, or a database on a server. */
import { OccamError } from "../core/errors.ts";
import { describeUrl, isPostgresUrl } from "../core/postgres-url.ts";
import type { Io } from "./io.ts";
import { pathIn } from "./token.ts";

export interface StorePlace {
  /** An absolute path, or the connection string; that one holds a password and is never shown. */
  readonly store: string;
  /** On a server, where several processes use it. */
  readonly shared: boolean;
  /** For people. */
  readonly description: string;
}

export function placeOf(store: string, io: Pick<Io, "cwd">): StorePlace {
  if (!/^[a-z][a-z+]*:\/\//i.test(store)) return { store: pathIn(io.cwd, store), shared: false, description: store };
  if (isPostgresUrl(store)) return { store, shared: true, description: `postgres ${describeUrl(store)}` };
  throw new OccamError("bad-config", `a store cannot be of the kind "${store.split(":")[0]}"`, {
    hint: "give a folder, or postgres://USER@HOST:PORT/DATABASE",
  });
}
