/**
 * The bearer token. Every call needs it but health checks, which say nothing but that a server is there; reflection needs it
 * too. The comparison takes the same time for every wrong token. The token is never logged and never part of an error.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { InterceptingCall, ServerInterceptingCall, type Interceptor, type ServerInterceptor } from "@grpc/grpc-js";
import { OccamError } from "../core/errors.ts";
import { toStatus } from "./status.ts";

const EXEMPT = "/grpc.health.v1.Health/";
const HEADER = "authorization";

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Server side: answers UNAUTHENTICATED before a byte of the request is read. */
export function requireToken(token: string): ServerInterceptor {
  const wanted = digest(`Bearer ${token}`);
  return (method, call) => {
    if (method.path.startsWith(EXEMPT)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const given = metadata.get(HEADER);
            if (given.length === 1 && timingSafeEqual(digest(String(given[0])), wanted)) return pass(metadata);
            call.sendStatus(toStatus(refusal(given.length > 0)));
          },
        }),
    });
  };
}

/** Client side: adds the token to every call of a channel. */
export function presentToken(token: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set(HEADER, `Bearer ${token}`);
        next(metadata, listener);
      },
    });
}

function refusal(given: boolean): OccamError {
  return new OccamError("unauthenticated", given ? "the token is not this coordinator's" : "this call needs a token", {
    hint: "give the coordinator's token in OCCAM_TOKEN or --token",
  });
}
