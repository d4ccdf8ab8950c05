/** `occam logs -f` and `occam watch` while their coordinator is stopped, killed and started again. Needs the build. */
import { describe, expect, it } from "vitest";
import { BulkServiceService, StreamKind } from "../../proto/gen/occam/v1/bulk.ts";
import { LogLevel } from "../../proto/gen/occam/v1/common.ts";
import { OperatorServiceService, SubmitSweepRequest } from "../../proto/gen/occam/v1/operator.ts";
import { freePort } from "../../src/cli/run/free-port.ts";
import { callUnary, openDuplex } from "../../src/rpc/client-calls.ts";
import { connect } from "../../src/rpc/client.ts";
import { start, occam, temporaryFolder, type Running } from "./support/occam.ts";
import { TINY } from "./support/tiny.ts";

const TOKEN = "the token of these tests";
const env = { OCCAM_TOKEN: TOKEN };

async function coordinator(cwd: string, port: number): Promise<Running> {
  const run = start(["coordinator", "--store", "store", "--port", String(port)], { cwd, env });
  await run.until((out) => out.includes("coordinator serves"));
  return run;
}

/** Lines of a worker's own log, from this offset on. */
async function say(address: string, from: number, ...lines: readonly string[]): Promise<void> {
  const connection = connect({ address, token: TOKEN });
  const call = openDuplex(connection.bulk, BulkServiceService.push);
  const logs = lines.map((message) => ({ timeMs: 1n, level: LogLevel.LOG_LEVEL_INFO, message, fieldsJson: "" }));
  const kind = StreamKind.STREAM_KIND_LOGS;
  const where = { workerId: "w1", sessionId: "s1", cellId: "", token: 0n, kind, firstOffset: BigInt(from) };
  await call.send({ ...where, metrics: undefined, logs });
  await call.responses[Symbol.asyncIterator]().next();
  connection.close();
}

const messages = (stdout: string): readonly string[] =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { message: string }).message);

describe("readers that follow", () => {
  it("miss and repeat nothing when their coordinator is stopped, and when it is killed", async () => {
    const cwd = temporaryFolder();
    const port = await freePort("127.0.0.1");
    const address = `127.0.0.1:${port}`;
    let serving = await coordinator(cwd, port);
    const connection = connect({ address, token: TOKEN });
    const { sweep } = await callUnary(
      connection.operator,
      OperatorServiceService.submitSweep,
      SubmitSweepRequest.fromPartial({
        specText: TINY,
        fileName: "tiny.yaml",
      }),
    );
    connection.close();
    await say(address, 0, "one", "two");

    const args = ["--coordinator", address];
    const tail = start(["logs", "-f", "--json", "--worker", "w1", ...args], { cwd, env });
    const filtered = start(["logs", "-f", "--text", "nobody says this", ...args], { cwd, env });
    const watches = [1, 2].map(() => start(["watch", sweep!.sweepId, ...args], { cwd, env }));
    await tail.until((out) => out.includes('"two"'));
    for (const watch of watches) await watch.until((out) => out.includes("0/8 cells done"));

    serving.signal("SIGTERM");
    await serving.ended;
    serving = await coordinator(cwd, port);
    await say(address, 2, "three");
    await tail.until((out) => out.includes('"three"'));

    serving.signal("SIGKILL");
    await serving.ended;
    serving = await coordinator(cwd, port);
    await say(address, 3, "four");
    await tail.until((out) => out.includes('"four"'));
    expect(messages(tail.stdout)).toEqual(["one", "two", "three", "four"]);
    expect(tail.stderr).toMatch(/trying again/u);

    // Each ends with a token that is good for the lines behind, though it may have shown none.
    await filtered.until((_out, err) => err.split("trying again").length >= 3);
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const each of [tail, filtered]) each.signal("SIGINT");
    const tokens = await Promise.all(
      [tail, filtered].map(async (each) => {
        const { code, stderr } = await each.ended;
        expect(code).toBe(0);
        return /go on from here: --resume (\d+)\n$/u.exec(stderr)![1]!;
      }),
    );
    await say(address, 4, "five");
    const resumed = await occam(["logs", "--json", "--worker", "w1", ...args, "--resume", tokens[0]!], { cwd, env });
    expect([messages(resumed.stdout), resumed.stderr]).toEqual([["five"], ""]);
    expect(Number(tokens[1])).toBeLessThanOrEqual(Number(tokens[0]));
    expect(Number(tokens[1])).toBeGreaterThan(0);
    const beyond = await occam(["logs", ...args, "--resume", "999"], { cwd, env });
    expect([beyond.code, beyond.stderr]).toEqual([64, expect.stringMatching(/beyond the last line[^]*another store/u)]);

    // The watches have gone on, in plain lines, and see the end.
    const cancelled = await occam(["cancel", sweep!.sweepId, ...args], { cwd, env });
    expect(cancelled.code).toBe(0);
    for (const watch of watches) {
      const { code, stdout, stderr } = await watch.ended;
      expect(code).toBe(3);
      expect(stderr.split("trying again").length).toBeGreaterThanOrEqual(3);
      expect(stdout).toMatch(/8 cancelled/u);
      expect(stdout).not.toContain("\u001b");
    }
    serving.signal("SIGTERM");
    await serving.ended;
  });
});
