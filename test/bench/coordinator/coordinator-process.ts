/**
 * The built `occam coordinator` as a process of its own, so that what it uses can be read apart from what its callers use
 * (Linux: /proc). `OCCAM_BENCH_PROFILE=FOLDER` writes a CPU profile of every one that is stopped.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { callUnary } from "../../../src/rpc/client-calls.ts";
import { connect, type Connection } from "../../../src/rpc/client.ts";

const MAIN = fileURLToPath(new URL("../../../src/cli/main.js", import.meta.url));
export const TOKEN = "the-token-of-the-benchmark";
/** Of /proc's times: USER_HZ is 100 wherever Node runs. */
const TICK_MS = 10;
/** A look at who leads. */
const POLL_MS = 20;
const LEAD_LIMIT_MS = 60_000;

/** Why there is nothing to measure here; undefined: there is. */
export const benchMissing: string | undefined = !existsSync(MAIN)
  ? `${MAIN} is not there: run npm run build first`
  : !existsSync("/proc/self/stat")
    ? "what a process uses is read from /proc, which is Linux's"
    : undefined;

export class CoordinatorProcess {
  readonly address: string;
  /** From its start as a process until it serves, and where another may lead (on PostgreSQL) until it leads. */
  readonly startMs: number;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** @param store a folder or a connection string */
  static async start(store: string): Promise<CoordinatorProcess> {
    const profile = process.env["OCCAM_BENCH_PROFILE"];
    const flags = profile === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profile}`];
    const args = ["coordinator", "--store", store, "--port", "0", "--log-level", "warn"];
    const env = { ...process.env, OCCAM_TOKEN: TOKEN };
    const fromMs = systemClock.monotonicMs();
    const child = spawn(process.execPath, [...flags, MAIN, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
    const killed = (): unknown => child.kill("SIGKILL");
    process.once("exit", killed);
    const ended = new Promise((resolve) => child.once("close", resolve));
    void ended.then(() => process.off("exit", killed));
    const address = await new Promise<string>((resolve, reject) => {
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        const serves = /coordinator serves ([^,]+),/.exec(said);
        if (serves !== null) resolve(serves[1]!);
      });
      void ended.then((code) => reject(new Error(`the coordinator ended with ${String(code)}`)));
    });
    if (store.startsWith("postgres")) await untilItLeads(address);
    return new CoordinatorProcess(child, ended, address, systemClock.monotonicMs() - fromMs);
  }

  private constructor(child: ChildProcess, ended: Promise<unknown>, address: string, startMs: number) {
    this.#process = child;
    this.#ended = ended;
    this.address = address;
    this.startMs = startMs;
  }

  connect(): Connection {
    return connectTo(this.address);
  }

  /** Processor time of all its threads so far. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, "utf8");
    // Behind the command's name, which is in parentheses: utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  }

  /** Resident memory now, or the most that it ever was, in MB. */
  memoryMb(which: "now" | "peak"): number {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    const kib = new RegExp(`^Vm${which === "now" ? "RSS" : "HWM"}:\\s+(\\d+) kB`, "m").exec(status)?.[1];
    return (Number(kib) * 1024) / 1e6;
  }

  /** An orderly end. */
  async stop(): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#ended;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#ended;
  }
}

const connectTo = (address: string): Connection => connect({ address, token: TOKEN });

async function untilItLeads(address: string): Promise<void> {
  const connection = connectTo(address);
  for (;;) {
    try {
      await callUnary(connection.operator, OperatorServiceService.listSweeps, {}, { deadlineMs: LEAD_LIMIT_MS });
      return connection.close();
    } catch (error) {
      if (!(error instanceof OccamError && error.code === "unavailable")) throw error;
      await systemClock.sleep(POLL_MS);
    }
  }
}
