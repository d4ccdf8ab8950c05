/** Commits that go together, and what becomes of each when the call fails. */
import { describe, expect, it } from "vitest";
import type { CommitRequest, CommitResponse } from "../../../proto/gen/occam/v1/control.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { CommitGatherer } from "../../../worker/session/commit-gatherer.ts";

const settings = { deadlineMs: 1_000, signal: new AbortController().signal, traceparent: "" };
const requestOf = (cellId: string, json = "{}"): CommitRequest => ({
  workerId: "w",
  sessionId: "s",
  cellId,
  token: 1n,
  outcome: { $case: "result", value: { json, digest: "", metricCount: 0n, logCount: 0n } },
});
const answerOf = ({ cellId }: CommitRequest): CommitResponse => ({ outcome: 1, detail: cellId });

function gatherer(all: (requests: readonly CommitRequest[]) => Promise<readonly CommitResponse[]>) {
  const calls: string[][] = [];
  const commits = new CommitGatherer({
    one: async (request) => {
      calls.push([request.cellId]);
      if (request.cellId === "bad") throw new OccamError("protocol", "a result is no JSON");
      return answerOf(request);
    },
    all: async (requests) => {
      calls.push(requests.map(({ cellId }) => cellId));
      return all(requests);
    },
  });
  const commit = (...ids: readonly string[]) =>
    Promise.allSettled(ids.map((id) => commits.commit(requestOf(id), settings)));
  return { calls, commit, commits };
}

describe("commits", () => {
  it("of one turn go as one call, in their order; one alone goes alone", async () => {
    const { calls, commit } = gatherer(async (requests) => requests.map(answerOf));
    const answers = await commit("a", "b", "c");
    expect(answers.map((answer) => answer.status === "fulfilled" && answer.value.detail)).toEqual(["a", "b", "c"]);
    await commit("d");
    expect(calls).toEqual([["a", "b", "c"], ["d"]]);
  });

  it("of which one is refused are sent one by one, and the refusal meets that one alone; they go together again", async () => {
    const { calls, commit } = gatherer(async (requests) => {
      if (requests.some(({ cellId }) => cellId === "bad")) throw new OccamError("protocol", "one is bad");
      return requests.map(answerOf);
    });
    expect((await commit("a", "bad")).map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await commit("b", "c");
    expect(calls).toEqual([["a", "bad"], ["a"], ["bad"], ["b", "c"]]);
  });

  it("are sent one by one from then on to a coordinator that does not know the call", async () => {
    const { calls, commit } = gatherer(async () => {
      throw new OccamError("protocol", "the server does not know this call");
    });
    expect((await commit("a", "b")).map(({ status }) => status)).toEqual(["fulfilled", "fulfilled"]);
    await commit("c", "d");
    expect(calls).toEqual([["a", "b"], ["a"], ["b"], ["c"], ["d"]]);
  });

  it("fail together, and are not sent again, when the coordinator is out of reach", async () => {
    const { calls, commit } = gatherer(async () => {
      throw new OccamError("unavailable", "cannot reach a coordinator");
    });
    expect((await commit("a", "b")).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(calls).toEqual([["a", "b"]]);
  });

  it("of more than 64, or of more text than a message should have, go as several calls", async () => {
    const { calls, commit, commits } = gatherer(async (requests) => requests.map(answerOf));
    await commit(...Array.from({ length: 70 }, (_, index) => `c${index}`));
    expect(calls.map((call) => call.length)).toEqual([64, 6]);
    const long = "x".repeat(700_000);
    await Promise.all(["a", "b", "c"].map((id) => commits.commit(requestOf(id, long), settings)));
    expect(calls.slice(2)).toEqual([["a"], ["b"], ["c"]]);
  });
});
