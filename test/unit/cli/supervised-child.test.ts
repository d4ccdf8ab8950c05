import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { MAX_RESTARTS } from "../../../src/cli/run/restart-policy.ts";
import { SupervisedChild } from "../../../src/cli/run/supervised-child.ts";

const folder = mkdtempSync(join(tmpdir(), "occam-child-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A clock whose waits are a hundredth as long, so that restarts come quickly. */
const hurried = {
  ...systemClock,
  after: (ms: number, callback: () => void) => systemClock.after(ms / 100, callback),
};

const children: SupervisedChild[] = [];
afterEach(async () => {
  for (const child of children) child.kill();
  await Promise.all(children.splice(0).map(({ ended }) => ended));
});

function childOf(script: string) {
  const mainPath = join(folder, `child-${children.length}-${script.length}.cjs`);
  writeFileSync(mainPath, script);
  const readies: string[] = [];
  const restarts: string[] = [];
  let wake = (): void => undefined;
  const child = new SupervisedChild({
    name: "child",
    mainPath,
    args: () => [String(restarts.length)],
    env: process.env,
    cwd: folder,
    logPath: join(folder, "child.log"),
    clock: hurried,
    onReady: (address) => {
      readies.push(address);
      wake();
    },
    onRestart: (end) => restarts.push(`${end.exitCode ?? end.signal}: ${end.text ?? ""}`),
  });
  children.push(child);
  const ready = async (times: number): Promise<void> => {
    while (readies.length < times) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { child, readies, restarts, ready };
}

const SERVES = `process.send({ type: "ready", address: process.argv[2] }); setInterval(() => {}, 1000);`;

describe("a supervised child", () => {
  it("is started again with fresh arguments when it is killed", async () => {
    const { child, readies, restarts, ready } = childOf(SERVES);
    child.start();
    await ready(1);
    process.kill(child.pid!, "SIGKILL");
    await ready(2);
    expect(readies).toEqual(["0", "1"]);
    expect(restarts).toEqual(["SIGKILL: "]);
  });

  it("is given up when it dies again and again, with its last words", async () => {
    const { child, restarts } = childOf(
      `process.send({ type: "ready", address: "" });
       process.send({ type: "failed", code: "internal", text: "no luck" }, () => process.exit(1));`,
    );
    child.start();
    const { failure } = await child.ended;
    expect(restarts).toHaveLength(MAX_RESTARTS);
    expect(failure).toBe("ended with exit code 1: no luck");
  });

  it("is not started again after it was asked to stop, even while it waits for its restart", async () => {
    const { child, restarts, ready } = childOf(SERVES);
    child.start();
    await ready(1);
    child.stop();
    expect((await child.ended).failure).toBeUndefined();
    expect(restarts).toEqual([]);

    const waiting = childOf(`process.send({ type: "ready", address: "" }, () => process.exit(1)); // waiting`);
    waiting.child.start();
    while (waiting.restarts.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    waiting.child.stop();
    expect((await waiting.child.ended).failure).toBeUndefined();
    expect(waiting.restarts).toHaveLength(1);
  });

  it("sits in a session of its own, so that Ctrl-C reaches the supervisor alone", async () => {
    const { child, ready } = childOf(SERVES);
    child.start();
    await ready(1);
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    expect(Number(stat[3])).toBe(child.pid);
  });
});
