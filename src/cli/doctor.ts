/** Checks of this machine for `occam doctor`: each says what was found and, where it fails, what would mend it. */
import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync, statfsSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer, connect } from "node:net";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { placeOf } from "./store-place.ts";

export interface Check {
  readonly name: string;
  readonly state: "ok" | "warning" | "failed";
  readonly detail: string;
  /** What would mend it; empty when nothing needs to be mended. */
  readonly hint: string;
  /** The figures of `detail`, for scripts. */
  readonly facts?: Readonly<Record<string, string | number>>;
}

export async function examine(storeDir: string, io: Io): Promise<readonly Check[]> {
  return [
    nodeCheck(process.versions.node),
    machineCheck(),
    await storeCheck(storeDir, io),
    await loopbackCheck(),
    ...(await backendChecks()),
  ];
}

/** One usable backend is enough; the others say what they lack. */
async function backendChecks(): Promise<readonly Check[]> {
  // oxlint-disable-next-line no-restricted-imports -- only a worker knows its backends
  const { diagnoseBackends } = await import("../../worker/doctor.ts");
  const diagnoses = await diagnoseBackends();
  const none = !diagnoses.some(({ usable }) => usable);
  return diagnoses.map((diagnosis): Check => {
    const name = `backend ${diagnosis.backend}`;
    if (!diagnosis.usable) {
      return {
        name,
        state: none ? "failed" : "warning",
        detail: diagnosis.reason.replace(`${name}: `, ""),
        hint: diagnosis.hint,
      };
    }
    const { device, version, gflops, memoryBytes } = diagnosis;
    const speed = `${gflops.toFixed(1)} GFLOP/s in a fused training step`;
    const detail = `${version}, ${device}, ${gibibytes(memoryBytes)} for a program, ${speed}`;
    return { name, state: "ok", detail, hint: "", facts: { device, version, gflops, memoryBytes } };
  });
}

const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Node.js below this lacks what Occam uses. */
const LEAST_NODE = [20, 19] as const;

export function nodeCheck(version: string): Check {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const name = "Node.js";
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    return { name, state: "failed", detail: version, hint: `Install Node.js ${LEAST_NODE.join(".")} or later.` };
  }
  return { name, state: "ok", detail: version, hint: "" };
}

function machineCheck(): Check {
  const detail = `${availableParallelism()} cores, ${gibibytes(totalmem())} of memory, ${process.platform} ${process.arch}`;
  return { name: "machine", state: "ok", detail, hint: "" };
}

/** A store's promise is only as good as its disk's fsync: one is timed. */
const SLOW_SYNC_MS = 50;
const LEAST_FREE_BYTES = 2 ** 30;

async function storeCheck(store: string, io: Io): Promise<Check> {
  const place = placeOf(store, io);
  if (place.shared)
    return {
      name: "store",
      state: "ok",
      detail: `${place.description}: not tried here; \`occam store check\` looks into it`,
      hint: "",
    };
  const folder = place.store;
  const name = "store folder";
  const path = join(folder, `.occam-doctor-${randomUUID()}`);
  try {
    mkdirSync(folder, { recursive: true });
    const file = await open(path, "wx");
    await file.write("occam");
    const startMs = io.clock.monotonicMs();
    await file.sync();
    const syncMs = io.clock.monotonicMs() - startMs;
    await file.close();
    const { bavail, bsize } = statfsSync(folder);
    const free = bavail * bsize;
    const detail = `${folder}: writable, fsync ${syncMs.toFixed(1)} ms, ${gibibytes(free)} free`;
    if (free < LEAST_FREE_BYTES)
      return { name, state: "warning", detail, hint: "Free some disk, or give another --store." };
    if (syncMs > SLOW_SYNC_MS) {
      return {
        name,
        state: "warning",
        detail,
        hint: "Every commit waits for fsync: a local SSD is faster than this disk.",
      };
    }
    return { name, state: "ok", detail, hint: "" };
  } catch (error) {
    return { name, state: "failed", detail: messageOf(error), hint: "Give a folder that this user can write to." };
  } finally {
    rmSync(path, { force: true });
  }
}

/** Coordinator and workers of `occam run` talk over 127.0.0.1. */
function loopbackCheck(): Promise<Check> {
  const name = "loopback network";
  const hint = "occam run needs 127.0.0.1: look at the firewall or the container's network.";
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.end("occam"));
    const failed = (error: Error): void => {
      server.close();
      resolve({ name, state: "failed", detail: messageOf(error), hint });
    };
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { readonly port: number };
      const socket = connect(port, "127.0.0.1");
      socket.once("error", failed);
      socket.once("data", () => {
        socket.destroy();
        server.close(() => resolve({ name, state: "ok", detail: "127.0.0.1 connects", hint: "" }));
      });
    });
  });
}
