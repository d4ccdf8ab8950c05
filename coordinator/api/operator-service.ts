/** OperatorService: decodes, calls the coordinator, encodes. */
import {
  OperatorServiceService,
  type CancelSweepRequest,
  type CancelSweepResponse,
  type FindCachedRequest,
  type FindCachedResponse,
  type GetServerRequest,
  type GetServerResponse,
  type GetSweepRequest,
  type GetSweepResponse,
  type ListCellsRequest,
  type ListCellsResponse,
  type ListSeriesRequest,
  type ListSeriesResponse,
  type ListSweepsRequest,
  type ListSweepsResponse,
  type ListWorkersRequest,
  type ListWorkersResponse,
  type OperatorServiceServer,
  type SubmitSweepRequest,
  type SubmitSweepResponse,
  type TailLogsRequest,
  type TailLogsResponse,
  type WatchSweepRequest,
  type WatchSweepResponse,
} from "../../proto/gen/occam/v1/operator.ts";
import { asCellId } from "../../src/core/ids.ts";
import { traced } from "../../src/core/trace.ts";
import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../../src/core/version.ts";
import { serverStreaming, unary } from "../../src/rpc/adapters.ts";
import type { Service } from "../../src/rpc/server.ts";
import type { Coordinator } from "../coordinator.ts";
import { LIMITS } from "../limits.ts";
import { listCells } from "./list-cells.ts";
import { listSeries } from "./list-series.ts";
import { audited } from "./audit.ts";
import { sweepMessage } from "./sweep-message.ts";
import { tailLogs } from "./tail-logs.ts";
import { watchSweep } from "./watch-sweep.ts";
import { atMost, shortText } from "./within.ts";
import { listWorkers } from "./worker-message.ts";

export function operatorService(coordinator: Coordinator): Service {
  const implementation: Record<keyof typeof OperatorServiceService, unknown> = {
    ...serverCalls(coordinator),
    ...sweepCalls(coordinator),
    ...cellCalls(coordinator),
  };
  return { definition: OperatorServiceService, implementation: implementation as unknown as OperatorServiceServer };
}

function serverCalls({ hot }: Coordinator) {
  return {
    getServer: unary<GetServerRequest, GetServerResponse>(async () => ({
      packageVersion: PACKAGE_VERSION,
      protocolVersion: PROTOCOL_VERSION,
      coordinatorEpoch: hot.epoch,
      startedMs: BigInt(hot.startedMs),
      store: hot.store.description,
    })),
    listWorkers: unary<ListWorkersRequest, ListWorkersResponse>(async () => ({ workers: listWorkers(hot) })),
  };
}

function sweepCalls(coordinator: Coordinator) {
  const { hot } = coordinator;
  return {
    submitSweep: unary<SubmitSweepRequest, SubmitSweepResponse>(async (request, context) => {
      checkSubmission(request);
      const { traceparent } = context;
      const { sweep, created } = await audited(
        hot,
        context,
        { action: "SubmitSweep", target: request.fileName },
        () =>
          traced(hot.tracer, "SubmitSweep", traceparent, ({ traceparent: own }) =>
            coordinator.sweeps.submit({ ...request, traceparent: own }),
          ),
        (submitted) => `${submitted.created ? "created" : "was here"} ${submitted.sweep.record.id}`,
      );
      return { sweep: sweepMessage(sweep), created };
    }),
    getSweep: unary<GetSweepRequest, GetSweepResponse>(async ({ sweep }) => ({
      sweep: sweepMessage(hot.sweeps.find(sweep)),
    })),
    listSweeps: unary<ListSweepsRequest, ListSweepsResponse>(async () => ({
      sweeps: hot.sweeps.all().map((sweep) => sweepMessage(sweep)),
    })),
    cancelSweep: unary<CancelSweepRequest, CancelSweepResponse>(async (request, context) => {
      const sweep = await audited(
        hot,
        context,
        { action: "CancelSweep", target: request.sweep },
        async () => {
          const found = hot.sweeps.find(request.sweep);
          await coordinator.sweeps.cancel(found);
          return found;
        },
        ({ record }) => `cancelled ${record.id}`,
      );
      return { sweep: sweepMessage(sweep) };
    }),
    watchSweep: serverStreaming<WatchSweepRequest, WatchSweepResponse>((request, send, { signal }) =>
      watchSweep(coordinator, hot.sweeps.find(request.sweep), request.minIntervalMs, send, signal),
    ),
  };
}

function checkSubmission({ fileName, requestId }: SubmitSweepRequest): void {
  atMost(fileName.length, LIMITS.fileNameChars, "characters in file_name");
  shortText(requestId, "request_id");
}

function cellCalls(coordinator: Coordinator) {
  const { hot } = coordinator;
  return {
    listCells: serverStreaming<ListCellsRequest, ListCellsResponse>((request, send, { signal }) =>
      listCells(hot, hot.sweeps.find(request.sweep), request, send, signal),
    ),
    listSeries: serverStreaming<ListSeriesRequest, ListSeriesResponse>((request, send, { signal }) =>
      listSeries(hot, hot.sweeps.find(request.sweep), request, send, signal),
    ),
    tailLogs: serverStreaming<TailLogsRequest, TailLogsResponse>((request, send, { signal }) =>
      tailLogs(coordinator, request, send, signal),
    ),
    findCached: unary<FindCachedRequest, FindCachedResponse>(async ({ cellIds }) => {
      atMost(cellIds.length, LIMITS.findIds, "ids");
      return { cellIds: await hot.store.findCached(cellIds.map(asCellId)) };
    }),
  };
}
