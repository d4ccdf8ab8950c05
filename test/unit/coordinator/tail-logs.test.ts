import { describe, expect, it, vi } from "vitest";
import { LogLevel } from "../../../proto/gen/occam/v1/common.ts";
import type { Grant } from "../../../proto/gen/occam/v1/control.ts";
import type { TailLogsResponse } from "../../../proto/gen/occam/v1/operator.ts";
import { all, batch, line, push, submit, tail, takeShard } from "./services-fixture.ts";

describe("a tail of the logs", () => {
  /** Without the audit log, which has the submission. */
  const messages = (lines: readonly TailLogsResponse[]) =>
    lines.filter(({ workerId }) => workerId !== "audit").map((each) => each.record!.message);

  async function someLines(): Promise<Grant> {
    await submit();
    const grant = await takeShard();
    await push(
      batch(grant, grant.cells[0]!.cellId, {
        logs: [line("Train begins"), line("loss is high", LogLevel.LOG_LEVEL_WARN)],
      }),
      batch(undefined, "", { logs: [line("worker up"), line("Ünïcode ERWACHT", LogLevel.LOG_LEVEL_ERROR)] }),
    );
    return grant;
  }

  it("takes every filter", async () => {
    const grant = await someLines();
    expect(messages(await all(tail()))).toEqual(["Train begins", "loss is high", "worker up", "Ünïcode ERWACHT"]);
    expect(messages(await all(tail({ sweep: "moons" })))).toEqual(["Train begins", "loss is high"]);
    expect(messages(await all(tail({ cellId: grant.cells[0]!.cellId.slice(0, 12) })))).toHaveLength(2);
    expect(messages(await all(tail({ workerId: "w2" })))).toEqual([]);
    expect(messages(await all(tail({ minLevel: LogLevel.LOG_LEVEL_WARN })))).toEqual([
      "loss is high",
      "Ünïcode ERWACHT",
    ]);
    expect(messages(await all(tail({ text: "ünÏCODE" })))).toEqual(["Ünïcode ERWACHT"]);
    expect(messages(await all(tail({ sinceMs: 1_800_000_000_000n })))).toEqual([]);
    expect(messages(await all(tail({ last: 2 })))).toEqual(["worker up", "Ünïcode ERWACHT"]);
    expect(messages(await all(tail({ last: 1, text: "begins" })))).toEqual(["Train begins"]);
    const [first] = await all(tail({ workerId: "w1" }));
    expect(first).toMatchObject({ workerId: "w1", cellId: grant.cells[0]!.cellId, attemptToken: grant.token });
    expect(first!.record).toEqual(line("Train begins"));
  });

  it("goes on after a resume token without a gap or a repeat", async () => {
    await someLines();
    const lines = await all(tail());
    const rest = await all(tail({ resumeToken: lines[1]!.resumeToken }));
    expect(rest).toEqual(lines.slice(2));
    await expect(all(tail({ resumeToken: "x" }))).rejects.toMatchObject({ code: "bad-usage" });
  });

  it("follows: what is stored, then what comes", async () => {
    await someLines();
    const caller = new AbortController();
    const lines: TailLogsResponse[] = [];
    const following = (async () => {
      for await (const each of tail({ follow: true, last: 1 }, caller.signal)) lines.push(each);
    })();
    await vi.waitFor(() => expect(messages(lines)).toEqual(["Ünïcode ERWACHT"]));
    await push(batch(undefined, "", { firstOffset: 2n, logs: [line("three")] }));
    await push(batch(undefined, "", { firstOffset: 3n, logs: [line("four")] }));
    await vi.waitFor(() => expect(messages(lines)).toEqual(["Ünïcode ERWACHT", "three", "four"]));
    caller.abort();
    await expect(following).rejects.toMatchObject({ code: "cancelled" });
  });

  it("gives thousands of lines in pages, whole and in order", async () => {
    const count = 3_000;
    const batches = Array.from({ length: 30 }, (_, index) =>
      batch(undefined, "", {
        firstOffset: BigInt(index * 100),
        logs: Array.from({ length: 100 }, (_each, place) => line(`line ${index * 100 + place}`)),
      }),
    );
    const answers = await push(...batches);
    expect(answers.at(-1)?.nextOffset).toBe(BigInt(count));
    expect(messages(await all(tail()))).toEqual(Array.from({ length: count }, (_, index) => `line ${index}`));
    expect(messages(await all(tail({ last: 1_000 })))).toHaveLength(1_000);
  });
});
