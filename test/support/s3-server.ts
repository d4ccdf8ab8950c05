/** A real S3-compatible server on loopback, with one bucket "cells" in a temporary folder. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import S3rver from "@20minutes/s3rver";

export interface S3Server {
  readonly port: number;
  /** What a client needs. */
  readonly env: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** @param port 0: any */
export async function startS3Server(port = 0, folder = mkdtempSync(join(tmpdir(), "occam-s3-"))): Promise<S3Server> {
  const configureBuckets = [{ name: "cells", configs: [] }];
  const server = new S3rver({ port, address: "127.0.0.1", silent: true, directory: folder, configureBuckets });
  const bound = await server.run();
  return {
    port: bound.port,
    env: {
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
      AWS_ENDPOINT_URL: `http://127.0.0.1:${bound.port}`,
    },
    stop: async () => {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
