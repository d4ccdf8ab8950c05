/**
 * Who calls and may they: the bearer token of a call, its roles against the table in `roles.ts`, and the gate. It is decided
 * here and nowhere else, before a byte of the request is read. Tokens are never logged and never part of an error; behind this
 * door the metadata have none.
 */
import {
  InterceptingCall,
  ServerInterceptingCall,
  type Interceptor,
  type Metadata,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import { OccamError } from "../core/errors.ts";
import { CallGate } from "./call-gate.ts";
import { meets, requirementOf, type Role } from "./roles.ts";
import { toStatus } from "./status.ts";
import type { Principal, Tokens } from "./tokens.ts";

const HEADER = "authorization";
const BEARER = "Bearer ";

/** Calls without a token (health checks) have nobody. */
const NOBODY: Principal = { name: "", roles: new Set(), workerIds: "" };

/** Whose call it is, by the metadata object that the handler gets too: nothing that a caller sends can name a principal. */
const principals = new WeakMap<Metadata, Principal>();

export function principalOf(metadata: Metadata): Principal {
  return principals.get(metadata) ?? NOBODY;
}

export interface Admission {
  readonly tokens: Tokens;
  readonly gate?: CallGate;
  /** A call was refused: by whom it came ("" for nobody), and why. */
  readonly onRefused?: ((path: string, name: string, peer: string, error: OccamError) => void) | undefined;
}

/** Server side. */
export function admitCalls({ tokens, gate = new CallGate(), onRefused }: Admission): ServerInterceptor {
  return ({ path }, call) => {
    let leave = (): void => undefined;
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            const peer = call.getPeer();
            let caller = NOBODY;
            try {
              caller = callerOf(metadata, path, tokens);
              leave = enter(gate, path, caller, peer);
            } catch (error) {
              if (!(error instanceof OccamError)) throw error;
              onRefused?.(path, caller.name, peer, error);
              return call.sendStatus(toStatus(error));
            }
            metadata.remove(HEADER);
            principals.set(metadata, caller);
            pass(metadata);
          },
          onCancel: () => leave(),
        }),
      sendStatus: (answer, next) => {
        leave();
        next(answer);
      },
    });
  };
}

function callerOf(metadata: Metadata, path: string, tokens: Tokens): Principal {
  const requirement = requirementOf(path);
  if (requirement === "anyone") return NOBODY;
  const [given, ...others] = metadata.get(HEADER);
  if (given === undefined) throw unauthenticated("this call needs a token");
  const text = String(given);
  const principal = others.length === 0 && text.startsWith(BEARER) ? tokens.find(text.slice(BEARER.length)) : undefined;
  if (principal === undefined) throw unauthenticated("the token is not one of this coordinator's");
  // A method that nobody serves is answered so by gRPC.
  if (requirement !== undefined && !meets(principal.roles, requirement)) throw denied(principal, requirement, path);
  return principal;
}

function enter(gate: CallGate, path: string, caller: Principal, peer: string): () => void {
  const requirement = requirementOf(path);
  const host = peer.slice(0, peer.lastIndexOf(":"));
  return requirement === undefined ? () => undefined : gate.enter(requirement, `${caller.name}@${host}`);
}

/** Client side: adds the token to every call of a channel. */
export function presentToken(token: string): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start: (metadata, listener, next) => {
        metadata.set(HEADER, `${BEARER}${token}`);
        next(metadata, listener);
      },
    });
}

function unauthenticated(message: string): OccamError {
  return new OccamError("unauthenticated", message, {
    hint: "give a token of the coordinator in OCCAM_TOKEN or --token-file",
  });
}

function denied({ name, roles }: Principal, role: Role, path: string): OccamError {
  const method = path.slice(path.lastIndexOf("/") + 1);
  return new OccamError(
    "permission-denied",
    `${method} needs the role ${role}; the token "${name}" has ${[...roles].join(", ")}`,
    { hint: "use a token with that role, or have the role added in the coordinator's access file" },
  );
}
