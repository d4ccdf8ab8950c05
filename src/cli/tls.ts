/** TLS options of commands: paths made absolute, combinations checked. */
import { OccamError } from "../core/errors.ts";
import type { ClientTls, ServerTls } from "../rpc/tls.ts";
import type { Io } from "./io.ts";
import { pathIn } from "./token.ts";

export interface ClientTlsArgs {
  readonly "tls-ca": string | undefined;
  readonly "tls-cert": string | undefined;
  readonly "tls-key": string | undefined;
}

export interface ServerTlsArgs {
  readonly "tls-cert": string | undefined;
  readonly "tls-key": string | undefined;
  readonly "tls-client-ca": string | undefined;
}

/** Undefined: plaintext. */
export function clientTls(args: ClientTlsArgs, { cwd }: Pick<Io, "cwd">): ClientTls | undefined {
  const { "tls-ca": ca, "tls-cert": cert, "tls-key": key } = args;
  checkPair(cert, key);
  if (ca === undefined) {
    if (cert === undefined) return undefined;
    throw new OccamError("bad-usage", "--tls-cert is of no use without --tls-ca, which turns TLS on", {
      hint: "give the coordinator's authority in --tls-ca, or --tls-ca system",
    });
  }
  const caPath = ca === "system" ? ca : pathIn(cwd, ca);
  return cert === undefined || key === undefined
    ? { caPath }
    : { caPath, certPath: pathIn(cwd, cert), keyPath: pathIn(cwd, key) };
}

/** Undefined: plaintext. */
export function serverTls(args: ServerTlsArgs, { cwd }: Pick<Io, "cwd">): ServerTls | undefined {
  const { "tls-cert": cert, "tls-key": key, "tls-client-ca": clientCa } = args;
  checkPair(cert, key);
  if (cert === undefined || key === undefined) {
    if (clientCa === undefined) return undefined;
    throw new OccamError("bad-usage", "--tls-client-ca is of no use without --tls-cert and --tls-key");
  }
  const pair = { certPath: pathIn(cwd, cert), keyPath: pathIn(cwd, key) };
  return clientCa === undefined ? pair : { ...pair, clientCaPath: pathIn(cwd, clientCa) };
}

function checkPair(cert: string | undefined, key: string | undefined): void {
  if ((cert === undefined) === (key === undefined)) return;
  throw new OccamError("bad-usage", "--tls-cert and --tls-key are given together, or neither");
}
