/** `torch_bench.py` as a child process that measures when it is asked to, so that its turns alternate with ours. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Engine } from "../../worker/engine/engine.ts";
import type { Turn } from "./measurement.ts";
import { processorClock } from "./processor-clock.ts";

/** The Python that has PyTorch. */
export const PYTHON_VARIABLE = "OCCAM_BENCH_PYTHON";

const SCRIPT = fileURLToPath(new URL("../../../test/bench/torch_bench.py", import.meta.url));
const TURN_SECONDS = 0.15;

/** A webgpu device may be one in software. */
export const isOnGpu = ({ backend, device }: Engine): boolean =>
  backend === "tensorflow-gpu" || (backend === "webgpu" && !device.includes("in software"));

/** Owns the process; dispose it. */
export class TorchProcess {
  /** "2.13.0+cpu on one CPU thread" */
  readonly version: string;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  private constructor(child: ChildProcess, reader: Interface, lines: AsyncIterator<string>, version: string) {
    this.#child = child;
    this.#reader = reader;
    this.#lines = lines;
    this.version = version;
  }

  /** Where the engine computes, by the same clock; or, as a sentence, why there is none. */
  static async open(engine: Engine): Promise<TorchProcess | { readonly skipped: string }> {
    const python = process.env[PYTHON_VARIABLE];
    if (python === undefined) return { skipped: `set ${PYTHON_VARIABLE} to a python that has torch` };
    const clock = engine.clock === processorClock ? "processor" : "wall";
    const child = spawn(python, [SCRIPT, clock, isOnGpu(engine) ? "cuda" : "cpu"], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const failed = once(child, "error").then(([error]) => String(error));
    const reader = createInterface({ input: child.stdout });
    const lines = reader[Symbol.asyncIterator]();
    const first = await Promise.race([lines.next(), failed]);
    if (typeof first === "string" || first.done === true) {
      return { skipped: `${python} does not run torch_bench.py${typeof first === "string" ? `: ${first}` : ""}` };
    }
    return new TorchProcess(child, reader, lines, (JSON.parse(first.value) as { torch: string }).torch);
  }

  /** Milliseconds of one member's step of a case of the script. */
  turn(name: string, members: number): Turn {
    return async () => {
      this.#child.stdin!.write(`${JSON.stringify({ case: name, members, seconds: TURN_SECONDS })}\n`);
      const answer = await this.#lines.next();
      if (answer.done === true) throw new Error(`torch_bench.py ended in ${name}`);
      return (JSON.parse(answer.value) as { ms: number }).ms;
    };
  }

  dispose(): void {
    this.#child.stdin!.end();
    this.#reader.close();
  }
}
