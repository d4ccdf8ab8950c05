/**
 * Bytes that are no message. gRPC would answer them as "internal", which says that it was our fault; so the reading of a request
 * gives what went wrong instead of throwing it, and the adapters refuse it as every other bad request.
 */
import type { ServiceDefinition } from "@grpc/grpc-js";
import { messageOf, OccamError } from "../core/errors.ts";

class Unreadable {
  readonly why: string;

  constructor(error: unknown) {
    this.why = messageOf(error);
  }
}

/** The definition with readers that do not throw. */
export function withSafeReaders(definition: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => {
      const requestDeserialize = (bytes: Buffer): unknown => {
        try {
          return method.requestDeserialize(bytes) as unknown;
        } catch (error) {
          return new Unreadable(error);
        }
      };
      return [name, { ...method, requestDeserialize }];
    }),
  );
}

/** @throws "protocol" for a request that could not be read */
export function checkReadable<Q>(request: Q): Q {
  if (!(request instanceof Unreadable)) return request;
  throw new OccamError("protocol", `the request cannot be read: ${request.why}`, {
    hint: "the other side is of another version, or no Occam",
  });
}
