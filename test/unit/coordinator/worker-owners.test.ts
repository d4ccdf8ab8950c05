/** What a worker can touch, over real gRPC: nothing of the worker of another token. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CommitOutcome, ControlServiceService, type Grant } from "../../../proto/gen/occam/v1/control.ts";
import { BulkServiceService, type PushRequest } from "../../../proto/gen/occam/v1/bulk.ts";
import { OperatorServiceService } from "../../../proto/gen/occam/v1/operator.ts";
import { callUnary, openDuplex } from "../../../src/rpc/client-calls.ts";
import { connect, type Connection } from "../../../src/rpc/client.ts";
import { hashToken, tokensOf, type TokenEntry } from "../../../src/rpc/tokens.ts";
import { madeUpResult } from "./coordinator-fixture.ts";
import {
  all,
  batch,
  coordinator,
  heldOf,
  line,
  startWith,
  submit,
  syncRequest,
  tail,
  useConnection,
} from "./services-fixture.ts";

const entry = (name: string, roles: TokenEntry["roles"], workerIds = ""): TokenEntry => ({
  name,
  roles,
  workerIds,
  sha256: hashToken(name),
});
const entries = [
  entry("otto", new Set(["operator"])),
  entry("anna", new Set(["worker"])),
  entry("bert", new Set(["worker"])),
  entry("farm", new Set(["worker"]), "gpu-"),
];

let anna: Connection;
let bert: Connection;
let farm: Connection;

beforeEach(async () => {
  await startWith({ tokens: tokensOf(() => entries) });
  const as = (token: string): Connection => connect({ address: coordinator.address, token });
  useConnection(as("otto"));
  [anna, bert, farm] = [as("anna"), as("bert"), as("farm")];
});
afterEach(() => {
  for (const connection of [anna, bert, farm]) connection.close();
});

const sync = (as: Connection, workerId: string, more: Partial<Parameters<typeof syncRequest>[0]> = {}) =>
  callUnary(
    as.control,
    ControlServiceService.sync,
    syncRequest({ workerId, sessionId: `session of ${workerId}`, ...more }),
  );

const commit = (as: Connection, workerId: string, { token }: Grant, cellId: string) =>
  callUnary(as.control, ControlServiceService.commit, {
    workerId,
    sessionId: `session of ${workerId}`,
    cellId,
    token,
    outcome: { $case: "result", value: { ...madeUpResult(1), metricCount: 0n, logCount: 0n } },
  });

async function push(as: Connection, request: PushRequest) {
  const duplex = openDuplex(as.bulk, BulkServiceService.push);
  await duplex.send(request);
  duplex.end();
  return (await all(duplex.responses))[0]!;
}

async function annaTakes(): Promise<Grant> {
  await submit();
  const [grant] = (await sync(anna, "w1")).grants;
  await sync(anna, "w1", { freeSlots: 0, held: [heldOf(grant!)] });
  return grant!;
}

describe("a worker", () => {
  it("cannot end, log for, or renew the cells of another under its own name", async () => {
    const grant = await annaTakes();
    const cellId = grant.cells[0]!.cellId;
    await sync(bert, "w2", { freeSlots: 0 });
    const answer = await commit(bert, "w2", grant, cellId);
    expect(answer).toMatchObject({ outcome: CommitOutcome.COMMIT_OUTCOME_FENCED, detail: /never granted/u });
    const lines = batch(grant, cellId, { workerId: "w2", sessionId: "session of w2", logs: [line("forged")] });
    expect(await push(bert, lines)).toMatchObject({ fenced: true, nextOffset: 0n });
    const { renewals, revocations } = await sync(bert, "w2", { freeSlots: 0, held: [heldOf(grant)] });
    expect(renewals).toEqual([]);
    expect(revocations).toHaveLength(1);
    expect((await commit(anna, "w1", grant, cellId)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_COMMITTED);
  });

  it("cannot do so under the name of the other either, nor fence it", async () => {
    const grant = await annaTakes();
    const cellId = grant.cells[0]!.cellId;
    const refused = { code: "permission-denied", message: 'the worker id "w1" is in use by the token "anna"' };
    await expect(commit(bert, "w1", grant, cellId)).rejects.toMatchObject(refused);
    await expect(sync(bert, "w1", { sessionId: "a newer session" })).rejects.toMatchObject(refused);
    const lines = batch(grant, cellId, { logs: [line("forged")] });
    await expect(push(bert, lines)).rejects.toMatchObject(refused);
    expect((await sync(anna, "w1", { freeSlots: 0, held: [heldOf(grant)] })).renewals).toHaveLength(1);
    expect((await commit(anna, "w1", grant, cellId)).outcome).toBe(CommitOutcome.COMMIT_OUTCOME_COMMITTED);
    expect(JSON.stringify((await all(tail())).map(({ record }) => record!.message))).not.toContain("forged");
  });

  it("keeps to the ids that its token is for, and takes none that is the coordinator's", async () => {
    await expect(sync(farm, "w9")).rejects.toMatchObject({ code: "permission-denied", message: /begin with "gpu-"/u });
    expect((await sync(farm, "gpu-9")).fenced).toBe(false);
    for (const id of ["coordinator", "audit"]) {
      await expect(sync(anna, id)).rejects.toMatchObject({ code: "permission-denied" });
    }
    await expect(sync(anna, "w1", { sessionId: "coordinator/1" })).rejects.toMatchObject({ code: "permission-denied" });
  });

  it("reads nothing of what operators read", async () => {
    const call = callUnary(anna.operator, OperatorServiceService.listSweeps, {});
    await expect(call).rejects.toMatchObject({ code: "permission-denied" });
  });
});

describe("the audit log", () => {
  it("has who did what, when, and how it ended, for every action of an operator and no others", async () => {
    await submit();
    await submit();
    await expect(submit({ specText: "nonsense: [" })).rejects.toMatchObject({ code: "bad-spec" });
    const connection = connect({ address: coordinator.address, token: "otto" });
    await callUnary(connection.operator, OperatorServiceService.listSweeps, {});
    await callUnary(connection.operator, OperatorServiceService.cancelSweep, { sweep: "moons" });
    await expect(
      callUnary(connection.operator, OperatorServiceService.cancelSweep, { sweep: "nothing" }),
    ).rejects.toMatchObject({ code: "not-found" });
    connection.close();
    const lines = await all(tail({ workerId: "audit" }));
    expect(lines.map(({ record }) => record!.message.replaceAll(/-[0-9a-f]{10}/gu, "-ID"))).toEqual([
      "otto SubmitSweep moons.yaml: created moons-ID",
      "otto SubmitSweep moons.yaml: was here moons-ID",
      "otto SubmitSweep moons.yaml: bad-spec",
      "otto CancelSweep moons: cancelled moons-ID",
      "otto CancelSweep nothing: not-found",
    ]);
    const fields = JSON.parse(lines[0]!.record!.fieldsJson) as Record<string, string>;
    expect(fields).toMatchObject({ by: "otto", roles: "operator", action: "SubmitSweep" });
    expect(Number(lines[0]!.record!.timeMs)).toBeGreaterThan(1_700_000_000_000);
  });
});
