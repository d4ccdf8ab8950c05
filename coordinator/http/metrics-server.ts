/**
 * The port for machines that look after the coordinator: `/metrics` for Prometheus, `/livez` and `/readyz` for probes that
 * cannot do TLS. Plain HTTP without a token, on loopback unless it is told else: it shows counts and never a name or a secret.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { messageOf, OccamError } from "../../src/core/errors.ts";
import type { Logger } from "../../src/core/log.ts";
import { formatAddress } from "../../src/rpc/address.ts";
import type { Metrics } from "./metrics.ts";

export interface MetricsServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly metrics: Metrics;
  readonly isReady: () => boolean;
  readonly logger: Logger;
}

export interface MetricsServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** A scraper and some probes; each answers within seconds or is cut off. */
const MAX_CONNECTIONS = 32;
const REQUEST_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 8_192;

/** @throws "bad-config" when it cannot listen there */
export async function serveMetrics(options: MetricsServerOptions): Promise<MetricsServer> {
  const { host, port, metrics, logger } = options;
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, maxHeaderSize: MAX_HEADER_BYTES },
    (request, response) => {
      answer(options, request, response).catch((error: unknown) => {
        logger.error({ err: error }, "metrics cannot be told");
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new OccamError(
          "bad-config",
          `metrics cannot be served on ${formatAddress({ host, port })}: ${messageOf(error)}`,
          {
            hint: "give another --metrics-port, or 0 for any free one",
            cause: error,
          },
        ),
      );
    });
    server.listen(port, host, resolve);
  });
  const address = formatAddress({ host, port: (server.address() as { readonly port: number }).port });
  logger.info({ address }, "metrics are served");
  return {
    address,
    stop: async () => {
      metrics.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { metrics, isReady }: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") return say(response, 405, "GET alone\n");
  switch (new URL(request.url ?? "/", "http://host").pathname) {
    case "/metrics":
      response.setHeader("content-type", metrics.contentType);
      return say(response, 200, await metrics.text());
    case "/livez":
      return say(response, 200, "live\n");
    case "/readyz":
      return isReady() ? say(response, 200, "ready\n") : say(response, 503, "not ready\n");
    default:
      return say(response, 404, "/metrics, /livez, /readyz\n");
  }
}

function say(response: ServerResponse, code: number, text: string): void {
  response.statusCode = code;
  response.setHeader("cache-control", "no-store");
  response.end(text);
}
