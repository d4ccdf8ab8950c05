/**
 * The tokens that a server takes, and who they are. Only their SHA-256 is kept: a token has 256 random bits, so that a hash
 * without salt or stretching gives nothing away. Every stored hash is compared, in constant time, whichever one fits.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { ROLES, type Role } from "./roles.ts";

/** Whose token a call brought. */
export interface Principal {
  /** For the audit log. */
  readonly name: string;
  readonly roles: ReadonlySet<Role>;
  /** As a worker, only under ids that begin so; "": any. */
  readonly workerIds: string;
}

export interface TokenEntry extends Principal {
  readonly sha256: Buffer;
}

export interface Tokens {
  /** undefined: nobody's. */
  find(token: string): Principal | undefined;
  stop(): void;
}

/** Bounds the comparisons of every call: 100 of them take about 20 us. */
export const MAX_TOKENS = 100;

export const hashToken = (token: string): Buffer => createHash("sha256").update(token).digest();

/** The one token of a store or an `occam run`, with every role. */
export function oneToken(token: string): Tokens {
  const entries = [{ name: "owner", roles: new Set(ROLES), workerIds: "", sha256: hashToken(token) }];
  return tokensOf(() => entries);
}

/** @param entries those of the moment: a file of them may be replaced while the server runs */
export function tokensOf(entries: () => readonly TokenEntry[], stop: () => void = () => undefined): Tokens {
  return { find: (token) => findToken(entries(), token), stop };
}

function findToken(entries: readonly TokenEntry[], token: string): Principal | undefined {
  const given = hashToken(token);
  let found: TokenEntry | undefined;
  for (const entry of entries) {
    if (timingSafeEqual(given, entry.sha256)) found = entry;
  }
  return found;
}
