/** The standard health check of a gRPC server. */
import {
  credentials,
  loadPackageDefinition,
  type Client,
  type GrpcObject,
  type ServiceClientConstructor,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";

type Check = (request: { service: string }, done: (error: Error | null, reply?: { status: number }) => void) => void;

const SERVING = 1;

const { health } = (loadPackageDefinition(loadSync(protoPath)) as { grpc: { health: GrpcObject } }).grpc;
const Health = (health["v1"] as GrpcObject)["Health"] as ServiceClientConstructor;

/** @param service "": the server itself */
export async function isServing(address: string, service: string): Promise<boolean> {
  const client = new Health(address, credentials.createInsecure()) as unknown as Client & { check: Check };
  try {
    return await new Promise((resolve, reject) => {
      client.check({ service }, (error, reply) =>
        error === null ? resolve(reply?.status === SERVING) : reject(error),
      );
    });
  } finally {
    client.close();
  }
}
