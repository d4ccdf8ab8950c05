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
import { PushCredit } from "../ingest/push-credit.ts";
import type { PushCommand } from "../ingest/push.ts";
import { LIMITS } from "../limits.ts";
import { required } from "./required.ts";

export function bulkService(coordinator: Coordinator): Service {
  const credit = new PushCredit();
  const implementation: Record<keyof typeof BulkServiceService, unknown> = {
    push: bidiStreaming<PushRequest, PushResponse>((requests, send) => pushAll(coordinator, credit, requests, send)),
  };
  return { definition: BulkServiceService, implementation: implementation as unknown as BulkServiceServer };
}

/** What is under way is bounded: past that the reading stops, and with it the sender. */
async function pushAll(
  coordinator: Coordinator,
  credit: PushCredit,
  requests: AsyncIterable<PushRequest>,
  send: Send<PushResponse>,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  let answers: Promise<void> = Promise.resolve();
  credit.opened();
  try {
    for await (const request of requests) {
      const { workerId } = request;
      const reply = pushOne(coordinator, credit, request);
      // The first failure ends the call; the others are not to be raised as unhandled.
      reply.catch(() => undefined);
      answers = answers.then(async () => send({ ...(await reply), windowBytes: credit.windowBytes }));
      answers.catch(() => undefined);
      underWay.push(answers);
      // One of them at least stays under way: the answers of other calls of this worker are not waited for here.
      while (underWay.length >= LIMITS.pushWindow || (underWay.length > 1 && credit.isFull(workerId))) {
        await underWay.shift();
      }
    }
    await answers;
  } finally {
    credit.closed();
  }
}

async function pushOne(
  coordinator: Coordinator,
  credit: PushCredit,
  request: PushRequest,
): Promise<Omit<PushResponse, "windowBytes">> {
  const { cellId, token, kind } = request;
  const command = decodePush(request);
  const sizeBytes = sizeOf(request);
  credit.take(command.workerId, sizeBytes);
  try {
    const { nextOffset, fenced } = await coordinator.push(command, sizeBytes);
    return { cellId, token, kind, nextOffset: BigInt(nextOffset), fenced };
  } finally {
    credit.give(command.workerId, sizeBytes);
  }
}

/** What a batch takes, about: a point is an index, a step and a double; a line is its texts, and its place in two indexes. */
function sizeOf({ metrics, logs }: PushRequest): number {
  let total = 64 + 12 * (metrics?.value.length ?? 0);
  for (const { message, fieldsJson } of logs) total += 100 + message.length + fieldsJson.length;
  return total;
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
