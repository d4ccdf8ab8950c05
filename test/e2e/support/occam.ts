/** The built `occam` as a process. `npm run build` comes first; a test does not build. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

const ROOT = new URL("../../..", import.meta.url).pathname;
export const MAIN = join(ROOT, "dist/src/cli/main.js");

export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A running `occam`, with what it printed so far. */
export class Running {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  #over = false;

  constructor(args: readonly string[], { cwd, env }: StartOptions) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: run "npm run build" first`);
    this.process = spawn(process.execPath, [MAIN, ...args], {
      cwd: cwd ?? ROOT,
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], TZ: "UTC", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stdout!.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.process.stderr!.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve) => {
      this.process.once("close", (code, signal) => {
        this.#over = true;
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    running.add(this);
    void this.ended.then(() => running.delete(this));
  }

  get pid(): number {
    return this.process.pid!;
  }

  /** Until what it printed passes, or it ends, or the time is up. */
  async until(holds: (stdout: string, stderr: string) => boolean, limitMs = 60_000): Promise<void> {
    const endMs = Date.now() + limitMs;
    while (!holds(this.stdout, this.stderr)) {
      if (this.#over || Date.now() > endMs) {
        throw new Error(
          `it ${this.#over ? "ended" : "took too long"}; it printed:\n${this.stdout}\n--\n${this.stderr}`,
        );
      }
      await pause(20);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }
}

const running = new Set<Running>();
afterAll(async () => {
  for (const one of running) one.signal("SIGKILL");
  await Promise.all([...running].map(({ ended }) => ended));
});

export const start = (args: readonly string[], options: StartOptions = {}): Running => new Running(args, options);

/** Runs to the end. */
export const occam = (args: readonly string[], options: StartOptions = {}): Promise<Ended> =>
  start(args, options).ended;

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "occam-e2e-"));
  folders.push(folder);
  return folder;
}

/** Processes whose parent is `pid`, with their command lines (Linux). */
export function childrenOf(pid: number): readonly { readonly pid: number; readonly command: string }[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split(" ")
    .filter((text) => text.trim() !== "")
    .map((text) => ({ pid: Number(text), command: commandOf(Number(text)) }));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
