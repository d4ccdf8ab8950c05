/** A real coordinator over real gRPC on loopback, with a store in a folder, and calls by hand. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { startCoordinator, type CoordinatorStartOptions, type RunningCoordinator } from "../../../coordinator/main.ts";
import { BulkServiceService, StreamKind, type PushRequest } from "../../../proto/gen/occam/v1/bulk.ts";
import { LogLevel } from "../../../proto/gen/occam/v1/common.ts";
import {
  ControlServiceService,
  LeasePhase,
  type CommitRequest,
  type Grant,
  type SyncRequest,
} from "../../../proto/gen/occam/v1/control.ts";
import {
  OperatorServiceService,
  SubmitSweepRequest,
  type CellState,
  type ListCellsResponse,
  type TailLogsRequest,
  type TailLogsResponse,
} from "../../../proto/gen/occam/v1/operator.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { PACKAGE_VERSION, PROTOCOL_VERSION } from "../../../src/core/version.ts";
import { callUnary, openDuplex, readStream } from "../../../src/rpc/client-calls.ts";
import { connect, type Connection } from "../../../src/rpc/client.ts";
import { oneToken } from "../../../src/rpc/tokens.ts";
import { quietLogger } from "../../support/quiet-logger.ts";
import { madeUpResult } from "./coordinator-fixture.ts";

export const TOKEN = "a token for tests";
export const SPEC = `version: 1
name: moons
data: { kind: moons, train: 32, test: 16 }
grid:
  architecture: { kind: mlp, depth: 1 }
  optimizer:
    - { kind: sgd, learningRate: { values: [0.01, 0.1] } }
  regulariser: none
  scale: { width: [4, 8] }
  seed: { replicates: 3 }
train: { steps: 10, batch: 8 }
`;

export let folder: string;
export let coordinator: RunningCoordinator;
export let connection: Connection;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "occam-services-"));
  await start();
});

afterEach(async () => {
  connection.close();
  await coordinator.stop();
  await rm(folder, { recursive: true });
});

/** The coordinator of the test, anew with other options; its connections go with it. */
export async function startWith(options: Partial<CoordinatorStartOptions>): Promise<void> {
  connection.close();
  await coordinator.stop();
  await start(options);
}

/** Calls go this way from now on. */
export function useConnection(other: Connection): void {
  connection.close();
  connection = other;
}

export async function start(options: Partial<CoordinatorStartOptions> = {}): Promise<void> {
  coordinator = await startCoordinator({
    store: folder,
    host: "127.0.0.1",
    port: 0,
    tokens: oneToken(TOKEN),
    clock: systemClock,
    logger: quietLogger,
    ...options,
  });
  connection = connect({ address: coordinator.address, token: TOKEN });
}

export async function restart(): Promise<void> {
  connection.close();
  await coordinator.stop();
  await start();
}

export const submit = (overrides: Partial<SubmitSweepRequest> = {}) =>
  callUnary(
    connection.operator,
    OperatorServiceService.submitSweep,
    SubmitSweepRequest.fromPartial({ specText: SPEC, fileName: "moons.yaml", ...overrides }),
  );

export function sync(overrides: Partial<SyncRequest> = {}) {
  return callUnary(connection.control, ControlServiceService.sync, syncRequest(overrides));
}

export function syncRequest(overrides: Partial<SyncRequest> = {}): SyncRequest {
  return {
    protocolVersion: PROTOCOL_VERSION,
    oldestProtocolVersion: 0,
    workerId: "w1",
    sessionId: "s1",
    capabilities: {
      backend: "wasm",
      maxFuseWidth: 32,
      memoryBytes: 0n,
      host: "here",
      pid: 7,
      packageVersion: PACKAGE_VERSION,
      numericsVersion: 0,
      labels: {},
    },
    freeSlots: 1,
    held: [],
    draining: false,
    waitMs: 0,
    heardReply: 0n,
    ...overrides,
  };
}

export async function takeShard(): Promise<Grant> {
  const [grant] = (await sync()).grants;
  await sync({ freeSlots: 0, held: [heldOf(grant!)] });
  return grant!;
}

export const heldOf = ({ token }: Grant) => ({ token, phase: LeasePhase.LEASE_PHASE_TRAIN, step: 6n, steps: 10n });

export function commit(grant: Grant, cellId: string, outcome: CommitRequest["outcome"]) {
  const { token } = grant;
  return callUnary(connection.control, ControlServiceService.commit, {
    workerId: "w1",
    sessionId: "s1",
    cellId,
    token,
    outcome,
  });
}

export const commitResult = (grant: Grant, cellId: string, lambdaHat: number, metricCount = 0n, logCount = 0n) =>
  commit(grant, cellId, { $case: "result", value: { ...madeUpResult(lambdaHat), metricCount, logCount } });

export async function all<R>(messages: AsyncIterable<R>): Promise<R[]> {
  const list: R[] = [];
  for await (const message of messages) list.push(message);
  return list;
}

export const listCells = (states: readonly CellState[] = [], cellId = ""): Promise<ListCellsResponse[]> =>
  all(
    readStream(connection.operator, OperatorServiceService.listCells, {
      sweep: "moons",
      states,
      cellId,
      logLines: 0,
    }),
  );

export const tail = (overrides: Partial<TailLogsRequest> = {}, signal?: AbortSignal): AsyncIterable<TailLogsResponse> =>
  readStream(
    connection.operator,
    OperatorServiceService.tailLogs,
    {
      sweep: "",
      cellId: "",
      workerId: "",
      minLevel: LogLevel.LOG_LEVEL_UNSPECIFIED,
      text: "",
      sinceMs: 0n,
      follow: false,
      resumeToken: "",
      last: 0,
      pages: false,
      ...overrides,
    },
    signal === undefined ? {} : { signal },
  );

export function batch(grant: Grant | undefined, cellId: string, overrides: Partial<PushRequest>): PushRequest {
  return {
    workerId: "w1",
    sessionId: "s1",
    cellId,
    token: grant?.token ?? 0n,
    kind: StreamKind.STREAM_KIND_LOGS,
    firstOffset: 0n,
    metrics: undefined,
    logs: [],
    ...overrides,
  };
}

export const line = (message: string, level: LogLevel = LogLevel.LOG_LEVEL_INFO) => ({
  timeMs: 1_700_000_000_000n,
  level,
  message,
  fieldsJson: '{"step":1}',
});

export async function push(...batches: PushRequest[]) {
  const duplex = openDuplex(connection.bulk, BulkServiceService.push);
  for (const each of batches) await duplex.send(each);
  duplex.end();
  return all(duplex.responses);
}
