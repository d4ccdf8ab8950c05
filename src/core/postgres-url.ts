/** postgres://USER:PASSWORD@HOST:PORT/DATABASE: told from a folder, and said without its secret. */
import { OccamError } from "./errors.ts";

export const isPostgresUrl = (store: string): boolean => /^postgres(?:ql)?:\/\//i.test(store);

/** "db.example:5432/occam". The user and the password are left out, and so is every parameter but a socket's folder. */
export function describeUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) {
    throw new OccamError("bad-config", "the store's connection string cannot be read", {
      hint: "write postgres://USER@HOST:PORT/DATABASE, with %-codes for special characters of the password",
    });
  }
  const host = url.searchParams.get("host") ?? (url.hostname === "" ? "localhost" : url.hostname);
  const database = url.pathname.slice(1);
  return `${host}:${url.searchParams.get("port") ?? (url.port === "" ? "5432" : url.port)}/${database}`;
}
