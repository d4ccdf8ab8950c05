/** The limits and timings of every gRPC connection, with their reasons. */

/** One message, either way. A batch is at most 256 KiB; a result with its chains or a page of cells may be larger. */
export const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** Calls that one connection may have open. A worker needs one stream and a few commits; an operator, some watches. */
export const MAX_CONCURRENT_STREAMS = 512;

/** Memory of one connection (streams, headers, frames that wait), in MB: its 512 streams' windows of 64 KiB, twice. */
export const MAX_SESSION_MEMORY_MB = 64;

/**
 * Open calls of people and scripts: of one client (a token on one host), and of all together. A watch or a tail costs some
 * 100 KB while it waits. Workers' calls are not counted: they are never shed.
 */
export const MAX_OPERATOR_CALLS_OF_CLIENT = 64;
export const MAX_OPERATOR_CALLS = 1_024;

/** Open health checks; they need no token. A kubelet and a load balancer have one each. */
export const MAX_HEALTH_CALLS = 64;

/**
 * A silent connection is pinged this often, by both sides, and dropped when the answer is late: that is how a half-open TCP
 * connection is noticed. A server should permit pings from 10 s on; grpc-js never refuses any.
 */
export const KEEPALIVE_TIME_MS = 30_000;
export const KEEPALIVE_TIMEOUT_MS = 10_000;

/** After `max_connection_age` a connection's calls may finish for this long. */
export const CONNECTION_AGE_GRACE_MS = 60_000;

/**
 * A channel's own waits between tries to connect. Short, because the callers wait with full jitter of their own (RECONNECT in
 * src/core/backoff.ts) and the two waits add up.
 */
export const CHANNEL_BACKOFF_INITIAL_MS = 250;
export const CHANNEL_BACKOFF_MAX_MS = 5_000;

/** A channel that connects and is not ready by then is made anew. TLS and HTTP/2 take a few round trips. */
export const CONNECT_LIMIT_MS = 20_000;

/** How long a unary call may take when the caller does not say. */
export const DEFAULT_DEADLINE_MS = 20_000;

/** Of an error's text that travels in the trailers: header blocks end at 64 KiB, and base64 adds a third. */
export const MAX_ERROR_TEXT_BYTES = 24 * 1024;

/** Of an error's text in the plain status message, which is percent-encoded. The whole text travels beside it. */
export const MAX_STATUS_TEXT = 512;
