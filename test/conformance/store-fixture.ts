/** Changes and records for tests of a store. */
import type { Change, LinkRun, LogLine, NewCell, ResultRecord, SweepRecord } from "../../coordinator/store/change.ts";
import { LinkRuns } from "../../coordinator/store/key-runs.ts";
import { sha256Hex } from "../../src/core/canonical-json.ts";
import {
  asCellId,
  asFuseKey,
  asLeaseToken,
  asSessionId,
  asSweepId,
  asWorkerId,
  type CellId,
} from "../../src/core/ids.ts";

export const FUSE_KEY = asFuseKey("0123456789abcdef");
export const W1 = asWorkerId("w1");
export const S1 = asSessionId("s1");

export const idOf = (key: number): CellId => asCellId(sha256Hex(`cell ${key}`));
export const token = (value: number) => asLeaseToken(BigInt(value));

export function sweepRecord(seq = 1, overrides: Partial<SweepRecord> = {}): SweepRecord {
  return {
    seq,
    id: asSweepId(`sweep-${seq}`),
    name: "sweep",
    scope: "",
    state: "running",
    specText: "name: sweep\n",
    fileName: "sweep.yaml",
    createdMs: 1_700_000_000_000 + seq,
    finishedMs: null,
    expandedTo: 0,
    expanded: false,
    paused: "",
    priority: 0,
    maxWorkers: 0,
    require: [],
    submitter: "",
    ...overrides,
  };
}

export const NO_FAULTS = { lost: 0, failed: 0, oom: 0, preempted: 0 };
export const NO_FIGURES = { reason: "", ...NO_FAULTS, widthLimit: 0, triedOn: [], memoryAbove: 0 } as const;

/** @param named the key that its id is made from */
export function newCell(named: number, fuseKey = FUSE_KEY): NewCell {
  return { id: idOf(named), arm: { fuseKey, before: [], after: [] }, own: `{"cell":${named}}` };
}

/** Cells whose keys follow one another. */
export function cellsAdded(firstKey: number, cells: readonly NewCell[], scope = ""): Change {
  return { kind: "cells-added", scope, firstKey, cells };
}

export const cellAdded = (key: number, cell = newCell(key), scope = ""): Change => cellsAdded(key, [cell], scope);

/** A sweep with these cells, whose grid indices are their keys. */
export function sweepWith(keys: readonly number[], seq = 1, scope = ""): readonly Change[] {
  return [
    { kind: "sweep-added", sweep: sweepRecord(seq, { scope }) },
    ...keys.map((key) => cellAdded(key, newCell(key), scope)),
    linksOf(keys, seq),
  ];
}

export function linksOf(keys: readonly number[], seq: number, cached = false): Change {
  return {
    kind: "cells-linked",
    sweepSeq: seq,
    links: linkRuns(keys, 0, cached),
  };
}

/** Cells in the places of their keys, moved by `by`. */
export function linkRuns(keys: readonly number[], by: number, cached = false): readonly LinkRun[] {
  const links = new LinkRuns();
  for (const key of keys) links.add(key + by, key, cached);
  return links.runs;
}

export function granted(value: number, cellKeys: readonly number[]): Change {
  return {
    kind: "lease-granted",
    token: token(value),
    workerId: W1,
    sessionId: S1,
    fuseKey: FUSE_KEY,
    cellKeys,
    grantedMs: 1_700_000_000_000,
  };
}

export function resultRecord(cellKey: number, value: number, overrides: Partial<ResultRecord> = {}): ResultRecord {
  return {
    cellKey,
    token: token(value),
    workerId: W1,
    digest: `digest-${cellKey}`,
    json: `{"result":${cellKey}}`,
    diverged: false,
    verdict: "ok",
    lambdaHat: cellKey,
    testLoss: 0.5,
    committedMs: 1_700_000_100_000,
    ...overrides,
  };
}

export function committed(cellKey: number, value: number, overrides: Partial<ResultRecord> = {}): readonly Change[] {
  return [
    { kind: "result-committed", result: resultRecord(cellKey, value, overrides) },
    { kind: "attempt-ended", token: token(value), cellKey, ended: "committed" },
  ];
}

export function metrics(streamId: number, firstOffset: number, count: number, cellKey = 1, value = 1): Change {
  return {
    kind: "metrics-appended",
    stream: { kind: "metrics", cellKey, token: token(value), sessionId: "" },
    streamId,
    firstOffset,
    count,
    data: Uint8Array.from({ length: count }, (_, index) => firstOffset + index),
  };
}

export function logLine(seq: number, overrides: Partial<LogLine> = {}): LogLine {
  return {
    seq,
    workerId: "w1",
    cellKey: 0,
    token: token(0),
    timeMs: 1_700_000_000_000 + seq,
    level: 2,
    message: `line ${seq}`,
    fieldsJson: "",
    ...overrides,
  };
}

export function logs(streamId: number, firstOffset: number, lines: readonly LogLine[], sessionId = "s1"): Change {
  return {
    kind: "logs-appended",
    stream: { kind: "logs", cellKey: 0, token: token(0), sessionId },
    streamId,
    firstOffset,
    lines,
  };
}
