/** BulkService: batches are taken as they come, several at once, and answered in their order, each when it is durable. */
import {
  BulkServiceService,
  type BulkServiceServer,
  type PushRequest,
  type PushResponse,
} from "../../proto/gen/occam/v1/bulk.ts";
import { LogLevel, type LogRecord, type MetricColumns } from "../../proto/gen/occam/v1/common.ts";
import { asCellId, asLeaseToken, type WorkerId } from "../../src/core/ids.ts";
import { bidiStreaming, type Send } from "../../src/rpc/adapters.ts";
import type { Service } from "../../src/rpc/server.ts";
import { streamKind } from "../../src/wire/enums.ts";
import type { Coordinator } from "../coordinator.ts";
import type { SentLine } from "../ingest/bound-line.ts";
import type { PushCommand } from "../ingest/push.ts";
import { LIMITS } from "../limits.ts";
import { atMost, shortText } from "./within.ts";
import { claimSession, type WorkerOwners } from "./worker-owners.ts";

/** The last that a Date can be. */
const LAST_MOMENT_MS = 8.64e15;

export function bulkService(coordinator: Coordinator, owners: WorkerOwners): Service {
  const implementation: Record<keyof typeof BulkServiceService, unknown> = {
    push: bidiStreaming<PushRequest, PushResponse>((requests, send, { principal }) => {
      const pushOf = (request: PushRequest): PushCommand =>
        decodePush(request, owners.claim(request.workerId, principal));
      return pushAll(coordinator, requests, send, pushOf);
    }),
  };
  return { definition: BulkServiceService, implementation: implementation as unknown as BulkServiceServer };
}

/** Batches under way are bounded: past that the reading stops, and with it the sender. */
async function pushAll(
  coordinator: Coordinator,
  requests: AsyncIterable<PushRequest>,
  send: Send<PushResponse>,
  decode: (request: PushRequest) => PushCommand,
): Promise<void> {
  const underWay: Promise<void>[] = [];
  let answers: Promise<void> = Promise.resolve();
  for await (const request of requests) {
    const reply = pushOne(coordinator, request, decode);
    // The first failure ends the call; the others are not to be raised as unhandled.
    reply.catch(() => undefined);
    answers = answers.then(async () => send(await reply));
    answers.catch(() => undefined);
    underWay.push(answers);
    if (underWay.length >= LIMITS.pushWindow) await underWay.shift();
  }
  await answers;
}

async function pushOne(
  coordinator: Coordinator,
  request: PushRequest,
  decode: (request: PushRequest) => PushCommand,
): Promise<PushResponse> {
  const { cellId, token, kind } = request;
  const { nextOffset, fenced } = await coordinator.push(decode(request));
  return { cellId, token, kind, nextOffset: BigInt(nextOffset), fenced };
}

function decodePush(request: PushRequest, workerId: WorkerId): PushCommand {
  const { token } = request;
  const cellId = shortText(request.cellId, "cell_id");
  return {
    workerId,
    sessionId: claimSession(request.sessionId),
    attempt: cellId === "" ? undefined : { cellId: asCellId(cellId), token: asLeaseToken(token) },
    firstOffset: Number(request.firstOffset),
    records: decodeRecords(request),
  };
}

function decodeRecords({ kind, metrics, logs }: PushRequest): PushCommand["records"] {
  switch (streamKind.fromWire(kind)) {
    case "metrics":
      if (metrics !== undefined) checkColumns(metrics);
      return { kind: "metrics", columns: metrics ?? { names: [], name: [], step: [], value: [] } };
    case "logs":
      atMost(logs.length, LIMITS.batchLines, "log lines in one batch");
      return { kind: "logs", lines: logs.map(decodeLine) };
  }
}

function checkColumns({ names, name, step, value }: MetricColumns): void {
  atMost(names.length, LIMITS.batchSeries, "series in one batch");
  atMost(Math.max(name.length, step.length, value.length), LIMITS.batchPoints, "points in one batch");
  for (const each of names) atMost(each.length, LIMITS.seriesNameChars, "characters in the name of a series");
}

function decodeLine({ timeMs, level, message, fieldsJson }: LogRecord): SentLine {
  // A level or a moment that there is none of would be refused by the store, or by those who show it.
  const known = level >= LogLevel.LOG_LEVEL_DEBUG && level <= LogLevel.LOG_LEVEL_ERROR;
  return {
    timeMs: Math.min(Number(timeMs), LAST_MOMENT_MS),
    level: known ? level : LogLevel.LOG_LEVEL_INFO,
    message,
    fieldsJson,
  };
}
