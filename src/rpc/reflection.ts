/** gRPC server reflection from the .proto files, which are part of the package. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Server } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { OccamError } from "../core/errors.ts";

const FILES = ["occam/v1/control.proto", "occam/v1/bulk.proto", "occam/v1/operator.proto"];

/** Adds reflection (v1 and v1alpha) for those services of ours that the server has. */
export function addReflection(server: Server, services: readonly string[]): void {
  const definition = loadSync(FILES, { includeDirs: [protoFolder()], keepCase: true });
  new ReflectionService(definition, { services: [...services] }).addToServer(server);
}

/** From src/rpc in the sources, from dist/src/rpc in a build. */
function protoFolder(): string {
  for (const path of ["../../proto", "../../../proto"]) {
    const folder = fileURLToPath(new URL(path, import.meta.url));
    if (existsSync(`${folder}/${FILES[0]}`)) return folder;
  }
  throw new OccamError("internal", "the folder proto/ is missing from this installation");
}
