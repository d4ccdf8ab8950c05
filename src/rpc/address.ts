/** Addresses of coordinators: "host:port". */
import { isIPv6 } from "node:net";
import { OccamError } from "../core/errors.ts";

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** "127.0.0.1:7766", "coordinator:7766", "[::1]:7766"; an optional "dns:///" is for gRPC's own resolver. */
export function parseAddress(text: string): HostPort {
  const match = /^(?:dns:\/{2,3})?(?:\[(?<six>[0-9a-fA-F:.%]+)\]|(?<host>[^\s:/\]]+)):(?<port>\d{1,5})$/.exec(text);
  const host = match?.groups?.["six"] ?? match?.groups?.["host"];
  const port = Number(match?.groups?.["port"]);
  if (host === undefined || !isPort(port)) {
    throw new OccamError("bad-config", `"${text}" is no address of a coordinator`, {
      hint: 'give host and port, like "127.0.0.1:7766" or "[::1]:7766"',
    });
  }
  return { host, port };
}

export function formatAddress({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 0 && port <= 65_535;
}

/** Is this host reachable from this machine alone? */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
