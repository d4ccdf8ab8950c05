/**
 * OccamError <-> gRPC status, the only place that knows both. The status code is for tools that know gRPC alone; the whole
 * error (code, message, where, hint, elsewhere) travels in the trailer `occam-error-bin`, so that a client raises an equal one.
 */
import { Metadata, status, type StatusObject } from "@grpc/grpc-js";
import { messageOf, OccamError, type ErrorCode } from "../core/errors.ts";
import { MAX_ERROR_TEXT_BYTES, MAX_STATUS_TEXT } from "./limits.ts";

const STATUS_OF: Readonly<Record<ErrorCode, status>> = {
  "bad-spec": status.INVALID_ARGUMENT,
  "bad-usage": status.INVALID_ARGUMENT,
  "bad-config": status.FAILED_PRECONDITION,
  "not-found": status.NOT_FOUND,
  unauthenticated: status.UNAUTHENTICATED,
  "permission-denied": status.PERMISSION_DENIED,
  unavailable: status.UNAVAILABLE,
  "resource-exhausted": status.RESOURCE_EXHAUSTED,
  "out-of-memory": status.RESOURCE_EXHAUSTED,
  unsupported: status.UNIMPLEMENTED,
  "store-locked": status.FAILED_PRECONDITION,
  "store-corrupt": status.DATA_LOSS,
  "store-newer": status.FAILED_PRECONDITION,
  protocol: status.FAILED_PRECONDITION,
  cancelled: status.CANCELLED,
  internal: status.INTERNAL,
};

/** For a status that brings no `occam-error-bin`: raised by gRPC itself, by a proxy or by another server. */
const CODE_OF: Readonly<Record<status, ErrorCode>> = {
  [status.OK]: "internal",
  [status.CANCELLED]: "cancelled",
  [status.UNKNOWN]: "internal",
  [status.INVALID_ARGUMENT]: "bad-usage",
  [status.DEADLINE_EXCEEDED]: "unavailable",
  [status.NOT_FOUND]: "not-found",
  [status.ALREADY_EXISTS]: "bad-usage",
  [status.PERMISSION_DENIED]: "permission-denied",
  [status.RESOURCE_EXHAUSTED]: "resource-exhausted",
  [status.FAILED_PRECONDITION]: "protocol",
  [status.ABORTED]: "unavailable",
  [status.OUT_OF_RANGE]: "bad-usage",
  [status.UNIMPLEMENTED]: "protocol",
  [status.INTERNAL]: "internal",
  [status.UNAVAILABLE]: "unavailable",
  [status.DATA_LOSS]: "store-corrupt",
  [status.UNAUTHENTICATED]: "unauthenticated",
};

const ERROR_TRAILER = "occam-error-bin";

/** What the trailer holds. Checked by hand: it is all that the start of a server or a client would need a schema for. */
interface CarriedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly where?: string;
  readonly hint?: string;
  readonly elsewhere?: string;
}

function isCarriedError(value: unknown): value is CarriedError {
  if (value === null || typeof value !== "object") return false;
  const { code, message, where = "", hint = "", elsewhere = "" } = value as Readonly<Record<string, unknown>>;
  if (typeof code !== "string" || !Object.hasOwn(STATUS_OF, code)) return false;
  return [message, where, hint, elsewhere].every((text) => typeof text === "string");
}

/** The thrown value behind a status, for the server's own log: it never travels. */
const causes = new WeakMap<Metadata, unknown>();

/** What a server answers for a thrown value. Anything but an OccamError is a defect of ours and is answered as internal. */
export function toStatus(error: unknown): StatusObject {
  const known = error instanceof OccamError ? error : new OccamError("internal", messageOf(error), { cause: error });
  const { code, where, hint, elsewhere } = known;
  const message = cut(known.message, MAX_ERROR_TEXT_BYTES);
  const metadata = new Metadata();
  metadata.set(ERROR_TRAILER, Buffer.from(JSON.stringify({ code, message, where, hint, elsewhere })));
  causes.set(metadata, error);
  return { code: STATUS_OF[code], details: cut(known.message, MAX_STATUS_TEXT), metadata };
}

/** The thrown value that `toStatus` made this status from, on the server that made it. */
export function causeOf(answer: { readonly metadata?: Metadata | null | undefined }): unknown {
  return answer.metadata === null || answer.metadata === undefined ? undefined : causes.get(answer.metadata);
}

/** What a client raises for a status other than OK. */
export function fromStatus(answer: StatusObject, address: string): OccamError {
  const carried = carriedError(answer.metadata);
  if (carried !== undefined) {
    const { code, message, where, hint, elsewhere } = carried;
    return new OccamError(code, message, {
      ...(where === undefined ? {} : { where }),
      ...(hint === undefined ? {} : { hint }),
      ...(elsewhere === undefined ? {} : { elsewhere }),
      cause: answer,
    });
  }
  const code = CODE_OF[answer.code] ?? "internal";
  const { text, hint } = explain(answer, address);
  return new OccamError(code, text, { ...(hint === undefined ? {} : { hint }), cause: answer });
}

function carriedError(metadata: Metadata): CarriedError | undefined {
  const [value] = metadata.get(ERROR_TRAILER);
  if (value === undefined) return undefined;
  try {
    const carried: unknown = JSON.parse(value.toString());
    return isCarriedError(carried) ? carried : undefined;
  } catch {
    return undefined;
  }
}

interface Explanation {
  readonly text: string;
  readonly hint?: string;
}

/** Words of our own for the statuses that gRPC raises by itself and that people meet. */
function explain(answer: StatusObject, address: string): Explanation {
  const { code, details } = answer;
  if (code === status.UNAVAILABLE) {
    const hint = unavailableHint(details);
    return { text: `cannot reach a coordinator at ${address} (${details})`, hint };
  }
  if (code === status.DEADLINE_EXCEEDED) {
    return { text: `the coordinator at ${address} did not answer in time (${details})` };
  }
  if (code === status.UNIMPLEMENTED) {
    const hint = "it is no Occam coordinator, or one of another version";
    return { text: `the server at ${address} does not know this call (${details})`, hint };
  }
  return { text: details };
}

/** What OpenSSL says when the two ends do not agree on TLS. */
function unavailableHint(details: string): string {
  if (/certificate|altnames/iu.test(details)) {
    return "the certificates do not fit: check --tls-ca, the name in the coordinator's certificate, and --tls-cert if it wants one";
  }
  if (/SSL|TLS|EPROTO|wrong version number/u.test(details)) {
    return "one end speaks TLS and the other does not: give --tls-ca here, or --tls-cert to the coordinator";
  }
  return "check the address, that `occam coordinator` runs there, and that both or neither use TLS";
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : `${text.slice(0, limit)} … (${text.length - limit} more characters)`;
}
