/**
 * A connection to a coordinator: three clients, of which control and bulk have an HTTP/2 connection each, so that a heartbeat
 * never queues behind a batch of logs. Connecting is lazy and repeats by itself; a call while nothing is reached fails at
 * once as "unavailable". A client is to be taken from its connection with every call: one that does not get ready is made anew.
 */
import type { ClientOptions } from "@grpc/grpc-js";
import { BulkServiceClient } from "../../proto/gen/occam/v1/bulk.ts";
import { ControlServiceClient } from "../../proto/gen/occam/v1/control.ts";
import { OperatorServiceClient } from "../../proto/gen/occam/v1/operator.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { OccamError } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import { isLoopback, parseAddress } from "./address.ts";
import { presentToken } from "./auth.ts";
import {
  CHANNEL_BACKOFF_INITIAL_MS,
  CHANNEL_BACKOFF_MAX_MS,
  KEEPALIVE_TIME_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_MESSAGE_BYTES,
} from "./limits.ts";
import { RenewedClient } from "./renewed-client.ts";
import { channelCredentials, type ClientTls } from "./tls.ts";

export interface ConnectOptions {
  /** "host:port". */
  readonly address: string;
  readonly token: string;
  /** Undefined: plaintext. */
  readonly tls?: ClientTls | undefined;
  /** Plaintext beyond loopback too. */
  readonly allowPlaintext?: boolean | undefined;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** Between two looks at certificates; FILE_REFRESH_MS when left out. */
  readonly refreshMs?: number;
}

export interface Connection {
  readonly address: string;
  readonly control: ControlServiceClient;
  readonly bulk: BulkServiceClient;
  readonly operator: OperatorServiceClient;
  /** Cuts what still runs. */
  close(): void;
}

/** Throws "bad-config" for a text that is no address; reaches out only when the first call is made. */
export function connect(options: ConnectOptions): Connection {
  const { address, token, tls, clock = systemClock, logger, refreshMs } = options;
  const channel = channelOptions(address, token);
  checkPlaintext(options);
  const secured = channelCredentials(tls, { clock, logger, refreshMs });
  const { credentials } = secured;
  const control = new RenewedClient(() => new ControlServiceClient(address, credentials, channel), clock);
  const bulk = new RenewedClient(() => new BulkServiceClient(address, credentials, channel), clock);
  const operator = new RenewedClient(() => new OperatorServiceClient(address, credentials, channel), clock);
  return {
    address,
    get control() {
      return control.current;
    },
    get bulk() {
      return bulk.current;
    },
    get operator() {
      return operator.current;
    },
    close: () => {
      control.close();
      bulk.close();
      operator.close();
      secured.stop();
    },
  };
}

/** A token is not sent where others can read it, unless that is asked for. */
function checkPlaintext({ address, tls, allowPlaintext = false }: ConnectOptions): void {
  if (tls !== undefined || allowPlaintext || isLoopback(parseAddress(address).host)) return;
  throw new OccamError(
    "bad-config",
    `${address} is another machine, and without TLS anyone on the way could read the token`,
    {
      hint: "give --tls-ca (the coordinator's authority, or system); or --allow-plaintext, as its coordinator was started with",
    },
  );
}

function channelOptions(address: string, token: string): ClientOptions {
  return {
    interceptors: [presentToken(token)],
    // Without it clients of one address share one connection.
    "grpc.use_local_subchannel_pool": 1,
    "grpc.service_config_disable_resolution": 1,
    "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
    "grpc.keepalive_time_ms": KEEPALIVE_TIME_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.keepalive_permit_without_calls": 1,
    "grpc.initial_reconnect_backoff_ms": CHANNEL_BACKOFF_INITIAL_MS,
    "grpc.max_reconnect_backoff_ms": CHANNEL_BACKOFF_MAX_MS,
    "grpc.enable_channelz": 0,
    // grpc-js would send even loopback calls to the proxy of the environment.
    "grpc.enable_http_proxy": isLoopback(parseAddress(address).host) ? 0 : 1,
  };
}
