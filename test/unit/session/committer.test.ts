import { setMaxListeners } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { CommitOutcome, type CommitRequest, type CommitResponse } from "../../../proto/gen/occam/v1/control.ts";
import { OccamError } from "../../../src/core/errors.ts";
import { asCellId, asLeaseToken, asSessionId, asWorkerId } from "../../../src/core/ids.ts";
import { rootKey } from "../../../src/core/random.ts";
import { resultDigest } from "../../../src/result/cell-result.ts";
import { Committer, type Ending } from "../../../worker/session/committer.ts";
import { COMMIT_TRIES } from "../../../worker/session/timings.ts";
import { Uploader } from "../../../worker/session/uploader.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { wholeResult } from "../../support/whole-result.ts";
import { newSpool } from "./spool-fixture.ts";
import { FakeBulkPeer } from "./fake-bulk-peer.ts";

const A = asCellId("a");
const TOKEN = asLeaseToken(7n);
const ATTEMPT = { cellId: A, token: TOKEN };
const RESULT = wholeResult();
const ENDING: Ending = { kind: "result", result: RESULT };
const points = [1, 2, 3].map((step) => ({ series: "train.loss", step, value: step }));

type Reply = CommitOutcome | OccamError;
const { COMMIT_OUTCOME_COMMITTED, COMMIT_OUTCOME_INCOMPLETE, COMMIT_OUTCOME_NOTED, COMMIT_OUTCOME_DUPLICATE_SAME } =
  CommitOutcome;

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A coordinator that answers commits by a script; the last reply repeats. */
function start(replies: readonly Reply[], onRequest: (count: number) => unknown = () => undefined) {
  const clock = new FakeClock();
  const peer = new FakeBulkPeer();
  const requests: CommitRequest[] = [];
  const storedAtCommit: number[] = [];
  const life = new AbortController();
  // The fake clock leaves its listeners on the signal.
  setMaxListeners(0, life.signal);
  stops.push(() => life.abort());
  const common = {
    workerId: asWorkerId("w"),
    sessionId: asSessionId("s"),
    clock,
    key: rootKey("committer test"),
    onTrouble: () => undefined,
  };
  const uploader = new Uploader({
    ...common,
    open: () => peer.open(),
    batchDelayMs: 250,
    spool: newSpool(clock),
    onPressure: () => undefined,
  });
  void uploader.run(life.signal);
  const committer = new Committer({
    ...common,
    uploader,
    commit: async (request): Promise<CommitResponse> => {
      requests.push(request);
      onRequest(requests.length);
      storedAtCommit.push(peer.stored("7/a/1").length);
      const reply = replies[Math.min(requests.length, replies.length) - 1]!;
      if (reply instanceof OccamError) throw reply;
      return { outcome: reply, detail: "" };
    },
  });
  const settle = async (ending: Ending) => {
    const over = new AbortController();
    const promise = committer.settle(A, TOKEN, ending, life.signal).finally(() => over.abort());
    for (let i = 0; i < 2_000 && !over.signal.aborted; i += 1) await clock.advance(50);
    return over.signal.aborted ? promise : "never";
  };
  return { clock, peer, uploader, requests, storedAtCommit, settle, life };
}

const lost = new OccamError("unavailable", "connection reset");

describe("a commit", () => {
  it("goes after every record of the attempt is durable, with their number and the result's digest", async () => {
    const { uploader, settle, requests, storedAtCommit } = start([COMMIT_OUTCOME_COMMITTED]);
    uploader.metrics(ATTEMPT, points);
    uploader.log(ATTEMPT, { timeMs: 1, level: "info", message: "m" });
    expect(await settle(ENDING)).toBe("committed");
    expect(storedAtCommit).toEqual([3]);
    expect(requests[0]).toMatchObject({ cellId: "a", token: 7n, workerId: "w", sessionId: "s" });
    expect(requests[0]!.outcome).toMatchObject({
      $case: "result",
      value: { metricCount: 3n, logCount: 1n, digest: resultDigest(RESULT) },
    });
  });

  it("is repeated unchanged until it is answered", async () => {
    const { settle, requests } = start([...Array.from({ length: 8 }, () => lost), COMMIT_OUTCOME_DUPLICATE_SAME]);
    expect(await settle(ENDING)).toBe("duplicate-same");
    expect(requests).toHaveLength(9);
    for (const request of requests) expect(request).toEqual(requests[0]);
  });

  it("sends the records again when the coordinator misses some, and then succeeds", async () => {
    const { settle, requests, uploader, peer } = start([COMMIT_OUTCOME_INCOMPLETE, COMMIT_OUTCOME_COMMITTED]);
    uploader.metrics(ATTEMPT, points);
    const first = settle(ENDING);
    expect(await first).toBe("committed");
    expect(requests).toHaveLength(2);
    expect(peer.requests.map(({ firstOffset }) => firstOffset)).toEqual([0n, 0n]);
  });

  it("is handed back when the records never become complete", async () => {
    const replies = [...Array.from({ length: COMMIT_TRIES }, () => COMMIT_OUTCOME_INCOMPLETE), COMMIT_OUTCOME_NOTED];
    const { settle, requests } = start(replies);
    expect(await settle(ENDING)).toBe("noted");
    expect(requests.map(({ outcome }) => outcome?.$case)).toEqual([
      ...Array.from({ length: COMMIT_TRIES }, () => "result"),
      "handback",
    ]);
  });

  it("becomes a failure of the cell when its result is refused for good", async () => {
    const refused = new OccamError("protocol", "trainLoss: expected number");
    const replies = [...Array.from({ length: COMMIT_TRIES }, () => refused), COMMIT_OUTCOME_NOTED];
    const { settle, requests } = start(replies);
    expect(await settle(ENDING)).toBe("noted");
    expect(requests.at(-1)!.outcome).toMatchObject({
      $case: "failure",
      value: { reason: "its result was refused: trainLoss: expected number" },
    });
  });

  it("is given up when nothing at all is accepted", async () => {
    const { settle, requests } = start([new OccamError("internal", "defect")]);
    expect(await settle({ kind: "handback", reason: "drain" })).toBe("given-up");
    expect(requests).toHaveLength(COMMIT_TRIES);
  });

  it("of a result goes out even when its streams are fenced: the coordinator may still want it", async () => {
    const { settle, peer, uploader } = start([COMMIT_OUTCOME_COMMITTED]);
    peer.mischief.push("fence");
    uploader.metrics(ATTEMPT, points);
    expect(await settle(ENDING)).toBe("committed");
  });

  it("of a hand-back waits for no record", async () => {
    const { settle, uploader, peer } = start([COMMIT_OUTCOME_NOTED]);
    peer.mischief.push(...Array.from({ length: 1_000 }, () => "lose-request" as const));
    uploader.metrics(ATTEMPT, points);
    expect(await settle({ kind: "handback", reason: "drain" })).toBe("noted");
  });

  it("ends without an answer when the session ends", async () => {
    const { settle, life, requests } = start([lost], (count) => count === 3 && life.abort());
    expect(await settle(ENDING)).toBeUndefined();
    expect(requests).toHaveLength(3);
  });
});
