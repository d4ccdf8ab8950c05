/** BulkService: batches are taken as they come, several at once, and answered in their order, each when it is durable. */
import {
  BulkServiceService,
  type BulkServiceServer,
  type PushRequest,
  type PushResponse,
} from "../../proto/gen/occam/v1/bulk.ts";
import type { LogRecord } from "../../proto/gen/occam/v1/common.ts";
import { asCellId, asLeaseToken, asSessionId, asWorkerId } from "../../src/core/ids.ts";
import { bidiStreaming, type Send } from "../../src/rpc/adapters.ts";
import type { Service } from "../../src/rpc/server.ts";
import { streamKind } from "../../src/wire/enums.ts";
import type { Coordinator } from "../coordinator.ts";
import type { SentLine } from "../ingest/bound-line.ts";
import type { PushCommand } from "../ingest/push.ts";
import { LIMITS } from "../limits.ts";
import { required } from "./required.ts";

export function bulkService(coordinator: Coordinator): Service {
  const implementation: Record<keyof typeof BulkServiceService, unknown> = {
    push: bidiStreaming<PushRequest, PushResponse>((requests, send) => pushAll(coordinator, requests, send)),
  };
  return { definition: BulkServiceService, implementation: implementation as unknown as BulkServiceServer };
}

/** Batches under way are bounded: past that the reading stops, and with it the sender. */
async function pushAll(
  coordinator: Coordinator,
  requests: AsyncIterable<PushRequest>,
  send: Send<PushResponse>,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  let answers: Promise<void> = Promise.resolve();
  for await (const request of requests) {
    const reply = pushOne(coordinator, request);
    // The first failure ends the call; the others are not to be raised as unhandled.
    reply.catch(() => undefined);
    answers = answers.then(async () => send(await reply));
    answers.catch(() => undefined);
    underWay.push(answers);
    if (underWay.length >= LIMITS.pushWindow) await underWay.shift();
  }
  await answers;
}

async function pushOne(coordinator: Coordinator, request: PushRequest): Promise<PushResponse> {
  const { cellId, token, kind } = request;
  const { nextOffset, fenced } = await coordinator.push(decodePush(request));
  return { cellId, token, kind, nextOffset: BigInt(nextOffset), fenced };
}

function decodePush(request: PushRequest): PushCommand {
  const { cellId, token } = request;
  return {
    workerId: asWorkerId(required(request.workerId, "worker_id")),
    sessionId: asSessionId(required(request.sessionId, "session_id")),
    attempt: cellId === "" ? undefined : { cellId: asCellId(cellId), token: asLeaseToken(token) },
    firstOffset: Number(request.firstOffset),
    records: decodeRecords(request),
  };
}

function decodeRecords({ kind, metrics, logs }: PushRequest): PushCommand["records"] {
  switch (streamKind.fromWire(kind)) {
    case "metrics":
      return { kind: "metrics", columns: metrics ?? { names: [], name: [], step: [], value: [] } };
    case "logs":
      return { kind: "logs", lines: logs.map(decodeLine) };
  }
}

function decodeLine({ timeMs, level, message, fieldsJson }: LogRecord): SentLine {
  return { timeMs: Number(timeMs), level, message, fieldsJson };
}
