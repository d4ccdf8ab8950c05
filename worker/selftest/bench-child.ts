/** One process of the selftest, seen from outside: a question, an answer, until it is ended. */
import { fork, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { OccamError } from "../../src/core/errors.ts";
import type { FromBench, ToBench } from "./protocol.ts";

/** What a process that died had written last. */
const TAIL_CHARS = 2000;

export class BenchChild {
  readonly #process: ChildProcess;
  #tail = "";

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#process = fork(benchModule(), [], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      execArgv: [],
      env: { ...process.env, ...env },
    });
    this.#process.stderr!.setEncoding("utf8");
    this.#process.stderr!.on("data", (text: string) => (this.#tail = `${this.#tail}${text}`.slice(-TAIL_CHARS)));
  }

  /** Rejects when the job throws or the process dies. One question at a time. */
  ask(question: ToBench): Promise<Exclude<FromBench, { readonly type: "failed" }>> {
    return new Promise((resolve, reject) => {
      const child = this.#process;
      const heard = (message: unknown): void => {
        child.off("close", closed);
        const answer = message as FromBench;
        if (answer.type !== "failed") return resolve(answer);
        const { code, hint } = answer;
        reject(new OccamError(code, answer.message, hint === undefined ? {} : { hint }));
      };
      const closed = (exitCode: number | null, signal: string | null): void => {
        child.off("message", heard);
        const how = signal ?? `exit code ${exitCode}`;
        reject(new OccamError("internal", `a process of the selftest died by ${how}: ${this.#tail.trim()}`));
      };
      child.once("message", heard);
      child.once("close", closed);
      child.send(question, () => undefined);
    });
  }

  end(): void {
    this.#process.kill("SIGKILL");
  }
}

/** In a build it lies beside this file as JavaScript; the sources cannot be run by Node 20. */
function benchModule(): string {
  const built = import.meta.url.endsWith(".ts") ? "../../dist/worker/selftest/bench-process.js" : "./bench-process.js";
  const path = fileURLToPath(new URL(built, import.meta.url));
  if (existsSync(path)) return path;
  throw new OccamError("bad-config", "the selftest's program is missing from this installation", {
    where: path,
    hint: "run npm run build",
  });
}
