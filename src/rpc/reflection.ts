/** gRPC server reflection, v1 and v1alpha. Nearly nobody asks for it, so what answers is loaded by the first call. */
import type { Server, ServerDuplexStream } from "@grpc/grpc-js";
import { invariant } from "../core/errors.ts";
import { lazy } from "../core/lazy.ts";
import type { ReflectionMethod } from "./reflection-methods.ts";
import { toStatus } from "./status.ts";

const PATHS = ["v1", "v1alpha"].map((version) => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`);

/** Adds reflection for those services of ours that the server has. */
export function addReflection(server: Server, services: readonly string[]): void {
  let methods: ReadonlyMap<string, ReflectionMethod> | undefined;
  const load = lazy(async () => {
    const { reflectionMethods } = await import("./reflection-methods.ts");
    methods = reflectionMethods(services);
  });
  for (const path of PATHS) {
    // gRPC reads the requests of a stream when somebody listens to it: not before `load` is done.
    const method = (): ReflectionMethod => {
      const found = methods?.get(path);
      invariant(found !== undefined, `reflection answers ${path}`);
      return found;
    };
    const definition = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: (request: unknown): Buffer => method().definition.requestSerialize(request),
      requestDeserialize: (bytes: Buffer): unknown => method().definition.requestDeserialize(bytes),
      responseSerialize: (response: unknown): Buffer => method().definition.responseSerialize(response),
      responseDeserialize: (bytes: Buffer): unknown => method().definition.responseDeserialize(bytes),
    };
    const answer = (call: ServerDuplexStream<unknown, unknown>): void =>
      void load().then(
        () => method().handle(call),
        (error: unknown) => call.emit("error", toStatus(error)),
      );
    server.addService({ info: definition }, { info: answer });
  }
}
