/**
 * A connection to a coordinator: three clients, of which control and bulk have an HTTP/2 connection each, so that a heartbeat
 * never queues behind a batch of logs. Connecting is lazy and repeats by itself; a call while nothing is reached fails at
 * once as "unavailable".
 */
import { credentials, type ClientOptions } from "@grpc/grpc-js";
import { BulkServiceClient } from "../../proto/gen/occam/v1/bulk.ts";
import { ControlServiceClient } from "../../proto/gen/occam/v1/control.ts";
import { OperatorServiceClient } from "../../proto/gen/occam/v1/operator.ts";
import { isLoopback, parseAddress } from "./address.ts";
import { presentToken } from "./auth.ts";
import {
  CHANNEL_BACKOFF_INITIAL_MS,
  CHANNEL_BACKOFF_MAX_MS,
  KEEPALIVE_TIME_MS,
  KEEPALIVE_TIMEOUT_MS,
  MAX_MESSAGE_BYTES,
} from "./limits.ts";

export interface ConnectOptions {
  /** "host:port". */
  readonly address: string;
  readonly token: string;
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
export function connect({ address, token }: ConnectOptions): Connection {
  const options = channelOptions(address, token);
  const plaintext = credentials.createInsecure();
  const control = new ControlServiceClient(address, plaintext, options);
  const bulk = new BulkServiceClient(address, plaintext, options);
  const operator = new OperatorServiceClient(address, plaintext, options);
  return {
    address,
    control,
    bulk,
    operator,
    close: () => {
      control.close();
      bulk.close();
      operator.close();
    },
  };
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
