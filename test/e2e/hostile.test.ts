/** A coordinator's process under hostile calls: its memory stays bounded and it answers afterwards. */
import { readFileSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { occam, start, temporaryFolder } from "./support/occam.ts";

const MB = 1024 * 1024;
/** Above what it had: garbage that waits for collection included. What was sent unpacks to 3 GB. */
const MOST_GROWTH_MB = 300;

it("oversized messages, bombs and open calls leave its memory bounded", async () => {
  const cwd = temporaryFolder();
  const coordinator = start(["coordinator", "--store", "store", "--port", "0", "--log-level", "error"], { cwd });
  await coordinator.until((out) => out.includes("serves"));
  const address = /serves (\S+),/.exec(coordinator.stdout)![1]!;
  const authorization = `Bearer ${readFileSync(join(cwd, "store/token"), "utf8").trim()}`;
  const rssMb = (): number =>
    Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${coordinator.pid}/status`, "utf8"))![1]) / 1024;
  const before = rssMb();
  let most = before;
  const bomb = frame(gzipSync(Buffer.alloc(64 * MB)), 1);
  const large = frame(Buffer.alloc(9 * MB), 0);
  for (let round = 0; round < 5; round += 1) {
    const session = connect(`http://${address}`);
    session.on("error", () => undefined);
    const headers = { ":method": "POST", "content-type": "application/grpc", te: "trailers", authorization };
    const send = (path: string, body: Buffer, more: object = {}): Promise<void> =>
      new Promise((resolve) => {
        const stream = session.request({ ...headers, ...more, ":path": path });
        for (const event of ["error", "close"]) stream.on(event, () => resolve());
        stream.resume();
        stream.end(body);
      });
    const calls = Array.from({ length: 10 }, () => [
      send("/occam.v1.ControlService/Sync", bomb, { "grpc-encoding": "gzip" }),
      send("/occam.v1.OperatorService/SubmitSweep", large),
      send("/occam.v1.ControlService/Commit", frame(Buffer.alloc(100_000, 0x0a), 0)),
    ]);
    await Promise.all(calls.flat());
    // These stay open as long as they may.
    const tailing = Array.from({ length: 200 }, () =>
      send("/occam.v1.OperatorService/TailLogs", frame(Buffer.from([0x38, 1]), 0)),
    );
    most = Math.max(most, rssMb());
    session.destroy();
    await Promise.all(tailing);
  }
  expect(most - before).toBeLessThan(MOST_GROWTH_MB);
  const status = await occam(["status", "--coordinator", address, "--token-file", "store/token"], { cwd });
  expect([status.code, status.stderr]).toEqual([0, ""]);
  coordinator.signal("SIGTERM");
  const { code, stderr } = await coordinator.ended;
  expect([code, stderr]).toEqual([0, ""]);
});

function frame(body: Buffer, compressed: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed, 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
