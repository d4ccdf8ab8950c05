/** ControlService: decodes, calls the coordinator, encodes. */
import {
  ControlServiceService,
  type CommitAllRequest,
  type CommitAllResponse,
  type CommitRequest,
  type CommitResponse,
  type ControlServiceServer,
  type FailureKind,
  type SyncRequest,
  SyncResponse,
} from "../../proto/gen/occam/v1/control.ts";
import { OccamError } from "../../src/core/errors.ts";
import { asCellId, asLeaseToken, type WorkerId } from "../../src/core/ids.ts";
import { agreeOnProtocol, PROTOCOL, type ProtocolRange } from "../../src/core/protocol.ts";
import { unary, type CallContext } from "../../src/rpc/adapters.ts";
import { keptBuffer } from "../../src/rpc/kept-buffer.ts";
import type { Service } from "../../src/rpc/server.ts";
import { commitOutcome, failureKind, leasePhase } from "../../src/wire/enums.ts";
import type { Coordinator } from "../coordinator.ts";
import type { Hot } from "../hot/hot.ts";
import type { WorkerCapabilities } from "../hot/session-book.ts";
import type { CommitCommand, Fault } from "../lease/commit.ts";
import type { SyncCommand, SyncReply } from "../lease/sync-messages.ts";
import { nextSyncMs } from "../hot/overload.ts";
import { LIMITS } from "../limits.ts";
import { required } from "./required.ts";
import { atMost, shortText } from "./within.ts";
import { claimSession, type WorkerOwners } from "./worker-owners.ts";

/** @param protocol what this coordinator speaks */
export function controlService(
  coordinator: Coordinator,
  owners: WorkerOwners,
  protocol: ProtocolRange = PROTOCOL,
): Service {
  const commitAll = async (
    requests: readonly CommitRequest[],
    { principal, traceparent }: CallContext,
  ): Promise<readonly CommitResponse[]> => {
    const commands = requests.map((request) => decodeCommit(request, owners.claim(request.workerId, principal)));
    const spans = commands.map(() => coordinator.hot.tracer.span("Commit", traceparent));
    try {
      const replies = await coordinator.commitAll(commands);
      for (const [index, { outcome }] of replies.entries()) {
        const { cellId, workerId } = commands[index]!;
        spans[index]!.set({ "occam.cell": cellId, "occam.worker": workerId, "occam.outcome": outcome });
        spans[index]!.end();
      }
      return replies.map(({ outcome, detail }) => ({ outcome: commitOutcome.toWire(outcome), detail }));
    } catch (error) {
      for (const span of spans) span.end(error);
      throw error;
    }
  };
  const implementation: Record<keyof typeof ControlServiceService, unknown> = {
    sync: unary<SyncRequest, SyncResponse>(async (request, context) => {
      const version = agreedVersion(request, protocol);
      const command = decodeSync(coordinator, request, owners.claim(request.workerId, context.principal));
      const reply = await coordinator.sync(command, context.signal);
      return encodeSync(coordinator, reply, version);
    }),
    commit: unary<CommitRequest, CommitResponse>(async (request, context) => {
      const [response] = await commitAll([request], context);
      return response!;
    }),
    commitAll: unary<CommitAllRequest, CommitAllResponse>(async ({ commits }, context) => {
      atMost(commits.length, LIMITS.commitsPerCall, "commits");
      return { responses: await commitAll(commits, context) };
    }),
  };
  return { definition: definition(), implementation: implementation as unknown as ControlServiceServer };
}

/** An answer with a grant has the configurations of a whole shard. */
function definition(): typeof ControlServiceService {
  const { sync } = ControlServiceService;
  const responseSerialize = keptBuffer<SyncResponse>((message, writer) => SyncResponse.encode(message, writer));
  return { ...ControlServiceService, sync: { ...sync, responseSerialize } };
}

function agreedVersion({ protocolVersion, oldestProtocolVersion }: SyncRequest, protocol: ProtocolRange): number {
  const oldest = oldestProtocolVersion === 0 ? protocolVersion : oldestProtocolVersion;
  return agreeOnProtocol({ oldest, newest: protocolVersion }, protocol);
}

function decodeSync({ hot }: Coordinator, request: SyncRequest, workerId: WorkerId): SyncCommand {
  atMost(request.held.length, LIMITS.heldLeases, "leases");
  return {
    workerId,
    sessionId: claimSession(request.sessionId),
    capabilities: request.capabilities === undefined ? undefined : decodeCapabilities(hot, request.capabilities),
    freeSlots: request.freeSlots,
    held: request.held.map(({ token, phase, step, steps }) => ({
      token: asLeaseToken(token),
      progress: { phase: leasePhase.fromWire(phase), step: Number(step), steps: Number(steps) },
    })),
    draining: request.draining,
    waitMs: request.waitMs,
    heardReply: Number(request.heardReply),
  };
}

function decodeCapabilities(hot: Hot, capabilities: NonNullable<SyncRequest["capabilities"]>): WorkerCapabilities {
  const { backend, maxFuseWidth, memoryBytes, host, pid, packageVersion, numericsVersion, labels } = capabilities;
  atMost(Object.keys(labels).length, LIMITS.requirements, "labels");
  return {
    backend: shortText(backend, "backend"),
    maxFuseWidth: Math.max(1, maxFuseWidth),
    memoryBytes: Number(memoryBytes),
    host: shortText(host, "host"),
    pid,
    packageVersion: shortText(packageVersion, "package_version"),
    numericsVersion: numericsVersion === 0 ? hot.numericsVersion : numericsVersion,
    labels: Object.fromEntries(
      Object.entries(labels).map(([name, value]) => [shortText(name, "label"), shortText(value, `label ${name}`)]),
    ),
  };
}

/** The next sync is a heartbeat later, under overload two; an idle worker asks again at once, and is then held back. */
function encodeSync({ hot }: Coordinator, reply: SyncReply, version: number): SyncResponse {
  const { heartbeatMs, leaseTtlMs } = hot.timings;
  const { now } = hot.overload;
  if (now.level !== "none") hot.meter.shed("sync");
  return {
    coordinatorEpoch: hot.epoch,
    grants: reply.grants,
    renewals: reply.renewals,
    revocations: reply.revocations,
    nextSyncMs: nextSyncMs(now, heartbeatMs, leaseTtlMs),
    drain: reply.drain,
    fenced: reply.fenced,
    protocolVersion: version,
    replyNumber: BigInt(reply.number),
  };
}

function decodeCommit(request: CommitRequest, workerId: WorkerId): CommitCommand {
  return {
    workerId,
    sessionId: claimSession(request.sessionId),
    cellId: asCellId(required(request.cellId, "cell_id")),
    token: asLeaseToken(request.token),
    outcome: decodeOutcome(request.outcome),
  };
}

function decodeOutcome(outcome: CommitRequest["outcome"]): CommitCommand["outcome"] {
  if (outcome === undefined) throw new OccamError("protocol", "a commit has a result, a failure or a hand-back");
  switch (outcome.$case) {
    case "result": {
      const { json, digest, metricCount, logCount } = outcome.value;
      return { kind: "result", json, digest, metricCount: Number(metricCount), logCount: Number(logCount) };
    }
    case "failure":
      return { kind: decodeFault(outcome.value.kind), reason: outcome.value.reason };
    case "handback":
      return { kind: "handed-back", reason: outcome.value.reason };
  }
}

function decodeFault(kind: FailureKind): Fault {
  const name = failureKind.fromWire(kind);
  return name === "error" ? "failed" : name;
}
