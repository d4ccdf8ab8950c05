/** What answers reflection calls: from the .proto files, which are part of the package. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { handleBidiStreamingCall, MethodDefinition, Server } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { invariant, OccamError } from "../core/errors.ts";

const FILES = ["occam/v1/control.proto", "occam/v1/bulk.proto", "occam/v1/operator.proto"];

export interface ReflectionMethod {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly handle: handleBidiStreamingCall<unknown, unknown>;
}

/** The one method of each version of the reflection service. */
export function reflectionMethods(services: readonly string[]): ReadonlyMap<string, ReflectionMethod> {
  const definition = loadSync(FILES, { includeDirs: [protoFolder()], keepCase: true });
  const methods = new Map<string, ReflectionMethod>();
  const addService: Server["addService"] = (service, implementation) => {
    const method = service["ServerReflectionInfo"];
    const handle = implementation["ServerReflectionInfo"];
    invariant(method !== undefined && handle !== undefined, "reflection has one method");
    methods.set(method.path, { definition: method, handle: handle as ReflectionMethod["handle"] });
  };
  new ReflectionService(definition, { services: [...services] }).addToServer({ addService });
  return methods;
}

/** From src/rpc in the sources, from dist/src/rpc in a build. */
function protoFolder(): string {
  for (const path of ["../../proto", "../../../proto"]) {
    const folder = fileURLToPath(new URL(path, import.meta.url));
    if (existsSync(`${folder}/${FILES[0]}`)) return folder;
  }
  throw new OccamError("internal", "the folder proto/ is missing from this installation");
}
