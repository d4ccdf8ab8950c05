/**
 * `npm run sim`: runs seeds on every core, and says which one breaks what and how to see it again.
 *
 *   npm run sim -- --seeds 5000           the first 5,000
 *   npm run sim -- --seeds 5000 --from 1  from that seed on
 *   npm run sim -- --seed 17              one, with everything that happens in it
 *
 * Exit status: 0 when no seed breaks anything, 1 when one does, 64 for wrong flags.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { EXIT, messageOf } from "../../src/core/errors.ts";
import { runSeed } from "./run-seed.ts";

/** Seeds that a process is given at once. */
const PART = 20;
/** Between two lines of progress. */
const PROGRESS_MS = 5_000;
/** Failing seeds after which the rest is not run. */
const FAILURES_MAX = 10;

interface Part {
  readonly from: number;
  readonly to: number;
}

type FromChild = { readonly failure: string } | { readonly done: number };

function flags(): { readonly seed?: number; readonly seeds: number; readonly from: number } {
  const integer = { type: "string" } as const;
  const { values } = parseArgs({ options: { seeds: integer, seed: integer, from: integer } });
  const number = (name: "seed" | "seeds" | "from"): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (!/^\d{1,15}$/.test(text)) throw new Error(`--${name} takes a whole number, not "${text}"`);
    return Number(text);
  };
  const seed = number("seed");
  return { ...(seed === undefined ? {} : { seed }), seeds: number("seeds") ?? 1_000, from: number("from") ?? 1 };
}

/** A process of `runAll`: runs the parts that it is given. */
function serve(): void {
  let running = 0;
  process.on("uncaughtException", (error) => {
    process.send!({ failure: `seed ${running}: not caught: ${error.stack}` }, () => process.exit(EXIT.internal));
  });
  process.on("message", (part: Part) => {
    void (async () => {
      for (let seed = part.from; seed < part.to; seed += 1) {
        running = seed;
        await runSeed(seed).catch((error: unknown) => process.send!({ failure: messageOf(error) }));
      }
      process.send!({ done: part.to - part.from });
    })();
  });
  process.once("disconnect", () => process.exit(0));
}

async function runAll(seeds: number, first: number): Promise<number> {
  const startMs = performance.now();
  const end = first + seeds;
  const failures: string[] = [];
  let next = first;
  let ran = 0;
  let toldMs = startMs;
  const tell = (): void => {
    const seconds = (performance.now() - startMs) / 1000;
    console.log(`${ran} of ${seeds} seeds, ${(ran / seconds).toFixed(1)} a second, ${failures.length} failed`);
  };
  const oneProcess = (): Promise<void> =>
    new Promise((resolve) => {
      const child = fork(fileURLToPath(import.meta.url), ["serve"]);
      const give = (): void => {
        if (next >= end || failures.length >= FAILURES_MAX) return child.disconnect();
        const to = Math.min(end, next + PART);
        child.send({ from: next, to });
        next = to;
      };
      child.on("message", (message: FromChild) => {
        if ("failure" in message) {
          failures.push(message.failure);
          return console.log(message.failure);
        }
        ran += message.done;
        if (performance.now() - toldMs > PROGRESS_MS) {
          toldMs = performance.now();
          tell();
        }
        give();
      });
      // It has said why it ended, if it ended badly; what it had still to run is not run.
      child.once("exit", () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: availableParallelism() }, oneProcess));
  tell();
  for (const failure of failures) {
    const seed = /^seed (\d+)/.exec(failure)?.[1];
    console.log(`\n${failure}\nto see it again: npm run sim -- --seed ${seed}`);
  }
  return failures.length === 0 ? EXIT.ok : EXIT.internal;
}

async function runOne(seed: number): Promise<number> {
  try {
    const { steps, restarts, tookMs } = await runSeed(seed, { print: (line) => console.log(line) });
    console.log(`seed ${seed} holds: ${steps} steps, ${restarts} restarts, ${tookMs / 1000} s`);
    return EXIT.ok;
  } catch (error) {
    console.log(messageOf(error));
    return EXIT.internal;
  }
}

async function main(): Promise<number> {
  let given: ReturnType<typeof flags>;
  try {
    given = flags();
  } catch (error) {
    console.error(`${messageOf(error)}\nusage: npm run sim -- [--seeds N] [--from S] | --seed S`);
    return EXIT.usage;
  }
  return given.seed === undefined ? runAll(given.seeds, given.from) : runOne(given.seed);
}

if (process.argv[2] === "serve") serve();
else process.exitCode = await main();
