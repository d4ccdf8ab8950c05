/** Refuses the calls of our services for as long as there is a reason to, before a handler sees them. */
import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { OccamError } from "../core/errors.ts";
import { toStatus } from "./status.ts";

/** Health and reflection, which speak of this server and not of what it serves, are answered always. */
const OURS = "/occam.";

export function refuseWhile(refusal: () => OccamError | undefined = () => undefined): ServerInterceptor {
  return (method, call) => {
    if (!method.path.startsWith(OURS)) return new ServerInterceptingCall(call);
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const reason = refusal();
            if (reason === undefined) pass(metadata);
            else call.sendStatus(toStatus(reason));
          },
        }),
    });
  };
}
