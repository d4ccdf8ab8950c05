/**
 * The standard health service, grpc.health.v1, without its .proto file: to parse that at every start took longer than to serve.
 * Its messages are small enough to write by hand.
 */
import { once } from "node:events";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Server, ServiceDefinition } from "@grpc/grpc-js";
import { OccamError } from "../core/errors.ts";
import { serverStreaming, unary } from "./adapters.ts";
import { withSafeReaders } from "./unreadable.ts";

/** grpc.health.v1.HealthCheckResponse.ServingStatus */
const STATUS = { SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
type ServingStatus = keyof typeof STATUS;

interface Request {
  readonly service: string;
}

export class Health {
  readonly #statuses = new Map<string, ServingStatus>();
  readonly #watchers = new Set<(service: string, current: ServingStatus) => void>();

  set(service: string, isServing: boolean): void {
    const current = isServing ? "SERVING" : "NOT_SERVING";
    this.#statuses.set(service, current);
    for (const watcher of this.#watchers) watcher(service, current);
  }

  addTo(server: Server): void {
    server.addService(withSafeReaders(DEFINITION), {
      check: unary<Request, ServingStatus>(async ({ service }) => {
        const current = this.#statuses.get(service);
        if (current !== undefined) return current;
        throw new OccamError("not-found", `no service "${service}" is served here`);
      }),
      list: unary<Request, ReadonlyMap<string, ServingStatus>>(async () => this.#statuses),
      // The status now and after every change, until the caller leaves.
      watch: serverStreaming<Request, ServingStatus>(async ({ service }, send, { signal }) => {
        const watcher = (changed: string, current: ServingStatus): void => {
          if (changed === service) send(current).catch(() => undefined);
        };
        this.#watchers.add(watcher);
        watcher(service, this.#statuses.get(service) ?? "SERVICE_UNKNOWN");
        if (!signal.aborted) await once(signal, "abort");
        this.#watchers.delete(watcher);
      }),
    });
  }
}

/** A field of wire type 2 (length-delimited) and one of type 0 (varint), as tags. */
const bytesField = (field: number): number => (field << 3) | 2;
const varintField = (field: number): number => field << 3;

/** HealthCheckRequest { string service = 1; }; HealthListRequest has no field. */
function readRequest(bytes: Uint8Array): Request {
  const reader = new BinaryReader(bytes);
  let service = "";
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === bytesField(1)) service = reader.string();
    else reader.skip(tag & 7);
  }
  return { service };
}

/** HealthCheckResponse { ServingStatus status = 1; } */
const statusBytes = (current: ServingStatus): Uint8Array =>
  new BinaryWriter().uint32(varintField(1)).int32(STATUS[current]).finish();

/** HealthListResponse { map<string, HealthCheckResponse> statuses = 1; } */
function listBytes(statuses: ReadonlyMap<string, ServingStatus>): Uint8Array {
  const writer = new BinaryWriter();
  for (const [service, current] of statuses) {
    writer.uint32(bytesField(1)).fork();
    writer.uint32(bytesField(1)).string(service).uint32(bytesField(2)).bytes(statusBytes(current));
    writer.join();
  }
  return writer.finish();
}

const DEFINITION: ServiceDefinition = {
  check: method("Check", false, statusBytes),
  list: method("List", false, listBytes),
  watch: method("Watch", true, statusBytes),
};

function method<R>(name: string, responseStream: boolean, write: (response: R) => Uint8Array) {
  const ofClients = (): never => {
    throw new OccamError("internal", "this is the server's side of health");
  };
  return {
    path: `/grpc.health.v1.Health/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: ofClients,
    requestDeserialize: readRequest,
    responseSerialize: (response: R): Buffer => Buffer.from(write(response)),
    responseDeserialize: ofClients,
  };
}
