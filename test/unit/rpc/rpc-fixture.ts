/** A real server and real clients on loopback, closed after each test. */
import { Writable } from "node:stream";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import { afterEach } from "vitest";
import { BulkServiceService } from "../../../proto/gen/occam/v1/bulk.ts";
import { ControlServiceService } from "../../../proto/gen/occam/v1/control.ts";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { createLogger } from "../../../src/core/log.ts";
import { connect, type Connection } from "../../../src/rpc/client.ts";
import { serve, type RunningServer, type ServeOptions } from "../../../src/rpc/server.ts";
import { oneToken } from "../../../src/rpc/tokens.ts";

export const TOKEN = "a token for tests";

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

export interface Implementations {
  readonly control?: UntypedServiceImplementation;
  readonly bulk?: UntypedServiceImplementation;
  readonly operator?: UntypedServiceImplementation;
}

export interface TestServer extends RunningServer {
  /** What it has logged, parsed. */
  readonly logged: readonly Readonly<Record<string, unknown>>[];
}

export async function testServer(of: Implementations = {}, options: Partial<ServeOptions> = {}): Promise<TestServer> {
  const logged: Record<string, unknown>[] = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      logged.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
      done();
    },
  });
  const server = await serve({
    host: "127.0.0.1",
    port: 0,
    tokens: oneToken(TOKEN),
    logger: createLogger({ component: "test", level: "debug", destination }),
    services: [
      { definition: ControlServiceService, implementation: of.control ?? {} },
      { definition: BulkServiceService, implementation: of.bulk ?? {} },
      { definition: OperatorServiceService, implementation: of.operator ?? {} },
    ],
    ...options,
  });
  cleanups.push(() => server.shutdown(0));
  return { ...server, logged };
}

export function testClient(address: string, token = TOKEN): Connection {
  const connection = connect({ address, token });
  cleanups.push(() => connection.close());
  return connection;
}

/** Waits until `condition` holds, for at most 5 s. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`not within 5 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Long enough for anything that was going to happen on loopback. */
export const settleMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
