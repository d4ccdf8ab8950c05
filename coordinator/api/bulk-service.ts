/** BulkService: batches are taken as they come, several at once, and answered in their order, each when it is durable. */
import {
  BulkServiceService,
  type BulkServiceServer,
  type PushRequest,
  type PushResponse,
} from "../../proto/gen/occam/v1/bulk.ts";
import { LogLevel, type LogRecord, type MetricColumns } from "../../proto/gen/occam/v1/common.ts";
import { OccamError } from "../../src/core/errors.ts";
import { asCellId, asLeaseToken, type WorkerId } from "../../src/core/ids.ts";
import { bidiStreaming, type Send } from "../../src/rpc/adapters.ts";
import type { Service } from "../../src/rpc/server.ts";
import { streamKind } from "../../src/wire/enums.ts";
import type { Coordinator } from "../coordinator.ts";
import type { SentLine } from "../ingest/bound-line.ts";
import { PushCredit } from "../ingest/push-credit.ts";
import type { PushCommand, SentRecords } from "../ingest/push.ts";
import { LIMITS } from "../limits.ts";
import type { StreamKind } from "../store/change.ts";
import { UntilFailure } from "./until-failure.ts";
import { atMost, shortText } from "./within.ts";
import { claimSession, type WorkerOwners } from "./worker-owners.ts";

/** The last that a Date can be. */
const LAST_MOMENT_MS = 8.64e15;

export function bulkService(coordinator: Coordinator, owners: WorkerOwners): Service {
  const credit = new PushCredit();
  const implementation: Record<keyof typeof BulkServiceService, unknown> = {
    push: bidiStreaming<PushRequest, PushResponse>((requests, send, { principal }) => {
      const pushOf = (request: PushRequest): PushCommand =>
        decodePush(request, owners.claim(request.workerId, principal));
      return pushAll({ coordinator, credit, decode: pushOf }, requests, send);
    }),
  };
  return { definition: BulkServiceService, implementation: implementation as unknown as BulkServiceServer };
}

interface Desk {
  readonly coordinator: Coordinator;
  readonly credit: PushCredit;
  readonly decode: (request: PushRequest) => PushCommand;
}

/** What is under way is bounded: past that the reading stops, and with it the sender. */
async function pushAll(desk: Desk, requests: AsyncIterable<PushRequest>, send: Send<PushResponse>): Promise<void> {
  const underWay: Promise<void>[] = [];
  let answers: Promise<void> = Promise.resolve();
  // Its sender may wait for the answer before it sends more.
  const untilFailure = new UntilFailure(requests);
  desk.credit.opened();
  try {
    for await (const request of untilFailure) {
      const { workerId } = request;
      const reply = pushOne(desk, request);
      // The first failure ends the call; the others are not to be raised as unhandled.
      reply.catch(() => undefined);
      answers = answers.then(async () => send({ ...(await reply), windowBytes: desk.credit.windowBytes }));
      answers.catch((error: unknown) => untilFailure.fail(error));
      underWay.push(answers);
      // One of them at least stays under way: the answers of other calls of this worker are not waited for here.
      while (underWay.length >= LIMITS.pushWindow || (underWay.length > 1 && desk.credit.isFull(workerId))) {
        await underWay.shift();
      }
    }
    await answers;
  } finally {
    desk.credit.closed();
  }
}

async function pushOne(
  { coordinator, credit, decode }: Desk,
  request: PushRequest,
): Promise<Omit<PushResponse, "windowBytes">> {
  const { cellId, token, kind } = request;
  const command = decode(request);
  const sizeBytes = sizeOf(request);
  credit.take(command.workerId, sizeBytes);
  try {
    const { nextOffset, fenced, refused = "" } = await coordinator.push(command, sizeBytes);
    return { cellId, token, kind, nextOffset: BigInt(nextOffset), fenced, refused };
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
      return withinLimits("metrics", metrics?.value.length ?? 0, () => {
        if (metrics !== undefined) checkColumns(metrics);
        return { kind: "metrics", columns: metrics ?? { names: [], name: [], step: [], value: [] } };
      });
    case "logs":
      return withinLimits("logs", logs.length, () => {
        atMost(logs.length, LIMITS.batchLines, "log lines in one batch");
        return { kind: "logs", lines: logs.map(decodeLine) };
      });
  }
}

function checkColumns({ names, name, step, value }: MetricColumns): void {
  atMost(names.length, LIMITS.batchSeries, "series in one batch");
  atMost(Math.max(name.length, step.length, value.length), LIMITS.batchPoints, "points in one batch");
  for (const each of names) atMost(each.length, LIMITS.seriesNameChars, "characters in the name of a series");
}

/** What is beyond a limit is refused alone: the other batches of the call are as good as before. */
function withinLimits(of: StreamKind, count: number, decode: () => SentRecords): PushCommand["records"] {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof OccamError) || error.code !== "protocol") throw error;
    return { kind: "refused", of, count, why: error.message };
  }
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
