/**
 * A made-up sweep with the shape of a real one: two kinds of data, two architectures, three optimizers, three regularisers,
 * two widths, three seeds; most estimates ok, every bad verdict and every status present. Deterministic.
 */
import { fillNormal, rootKey } from "../../../src/core/random.ts";
import { cellOf, type CellConfig } from "../../../src/spec/cell.ts";
import { VERDICTS, type CellResult, type Verdict } from "../../../src/result/cell-result.ts";
import { rowOf, type AxisValues, type CellRecord, type RecordState, type ResultRow } from "../../../src/result/row.ts";
import type { SeriesChunk } from "../../../src/report/series.ts";
import type { ReportInput } from "../../../src/report/write-report.ts";
import type { Provenance } from "../../../src/report/provenance.ts";
import { ESTIMATE } from "../../support/tiny-cells.ts";
import { wholeEstimate, wholeResult } from "../../support/whole-result.ts";

const DATA = ["digits", "majority"] as const;
const ARCHITECTURES = ["mlp", "polynomial"] as const;
const OPTIMIZERS = ["sgd", "momentum", "adam"] as const;
const STRENGTHS: readonly (readonly [string, number | null])[] = [
  ["none", null],
  ["l2", 1e-4],
  ["l2", 1e-3],
  ["l1", 1e-4],
];
const WIDTHS = [8, 16, 32, 64] as const;

export const AXES = [
  "data.kind",
  "architecture.kind",
  "optimizer.kind",
  "regulariser.kind",
  "regulariser.strength",
  "scale.width",
  "seed",
].map((path) => ({ path }));

export const PROVENANCE: Provenance = {
  sweepId: "regularisers-on-digits-0a1b2c3d4e",
  specText: "version: 1\nname: regularisers-on-digits\ndata: { kind: digits, train: 2000 }\n",
  specFile: "examples/quickstart.yaml",
  packageVersion: "0.1.0",
  numericsVersion: 1,
  nodeVersion: "v20.20.2",
  platform: "linux x64",
  gitRevision: "4f2a9c1",
  startedMs: Date.UTC(2026, 10, 22, 21, 0, 0),
  finishedMs: Date.UTC(2026, 10, 22, 21, 2, 41),
};

interface Design {
  readonly data: string;
  readonly architecture: string;
  readonly optimizer: string;
  readonly regulariser: string;
  readonly strength: number | null;
  readonly width: number;
  readonly seed: number;
}

export function designs(): readonly Design[] {
  return DATA.flatMap((data) =>
    ARCHITECTURES.flatMap((architecture) =>
      OPTIMIZERS.flatMap((optimizer) =>
        STRENGTHS.flatMap(([regulariser, strength]) =>
          WIDTHS.flatMap((width) =>
            [1, 2].map((seed) => ({ data, architecture, optimizer, regulariser, strength, width, seed })),
          ),
        ),
      ),
    ),
  );
}

export function configOf(design: Design): CellConfig {
  const { data, architecture, optimizer, regulariser, strength, width, seed } = design;
  return {
    data: { kind: data, train: 2000, test: 1000, seed: 0 },
    architecture: { kind: architecture, width, depth: 2 },
    optimizer: { kind: optimizer, learningRate: 0.1 },
    regulariser: strength === null ? { kind: regulariser } : { kind: regulariser, strength },
    seed: String(1234567890123456000n + BigInt(seed)),
    train: { steps: 1500, batch: 128, schedule: "constant", evalEvery: 50, stopTrainLoss: null },
    estimate: { ...ESTIMATE, kernelRows: 400 },
  };
}

export function pointOf({ data, architecture, optimizer, regulariser, strength, width, seed }: Design): AxisValues {
  return {
    "data.kind": data,
    "architecture.kind": architecture,
    "optimizer.kind": optimizer,
    "regulariser.kind": regulariser,
    "regulariser.strength": strength,
    "scale.width": width,
    seed,
  };
}

/** Standard normals of a cell's own. */
function normals(text: string, count: number): Float32Array {
  const draws = new Float32Array(count);
  fillNormal(rootKey(text), { a: 0, b: 0 }, draws);
  return draws;
}

export function resultOf(design: Design, verdict: Verdict = "ok"): CellResult {
  const z = normals(JSON.stringify(design), 8);
  const polynomial = design.architecture === "polynomial";
  const quad =
    (polynomial ? 60 : 9 * Math.sqrt(design.width)) * (design.strength === 1e-3 ? 0.7 : 1) * Math.exp(0.1 * z[0]!);
  const bias: Record<Verdict, number> = {
    ok: 1,
    unconverged: 0.6,
    biased: 1.45,
    "not-a-minimum": -0.4,
    "over-ceiling": 9,
    diverged: 0,
  };
  const lambdaHat = quad * bias[verdict] * Math.exp(0.04 * z[1]!);
  const trainLoss = (polynomial ? 0.3 : 0.9 / Math.sqrt(design.width)) * Math.exp(0.15 * z[2]!);
  const isDiverged = verdict === "diverged";
  const estimate = wholeEstimate({
    lambdaHat: isDiverged ? null : lambdaHat,
    lambdaSe: isDiverged ? null : Math.abs(lambdaHat) * 0.03,
    rHat: verdict === "ok" ? 1.001 + 0.003 * Math.abs(z[3]!) : 1.08,
    essBulk: 800 + 60 * z[4]!,
    essTail: 640 + 40 * z[5]!,
    gewekeZ: Math.abs(z[6]!),
    varOverMean: 1 + 0.05 * z[7]!,
    quad,
    ceiling: quad * 4,
    kernelRows: 400,
    kernelTop: 3.25,
    displacement: 0.42,
    baseLoss: trainLoss,
    draws: 500,
    burnIn: 200,
    stepSize: 0.00125,
    nBeta: 2000 / Math.log(2000),
    parameters: 7850,
    n: 2000,
    batch: 0,
    gradients: 4800,
    nonFinite: isDiverged ? 37 : 0,
    verdict,
    verdictReason:
      verdict === "ok" ? "R-hat 1.002, ESS 812, var/mean 0.98" : "R-hat 1.08 > 1.01 over 4 chains of 500 draws",
  });
  const accuracy = design.data === "digits" ? 0.97 - 0.05 * trainLoss * 4 : 1 - 0.1 * trainLoss;
  return wholeResult({
    parameters: 7850,
    steps: 1500,
    trainLoss,
    testLoss: trainLoss * 1.3 + 0.001 * quad,
    trainAccuracy: Math.min(1, accuracy + 0.02),
    testAccuracy: accuracy,
    estimate,
    timing: { trainMs: 900.5, estimateMs: 640.25, wallMs: 21_000 },
    fuseWidth: 16,
  });
}

export function recordOf(design: Design, gridIndex: number, over: Partial<CellRecord> = {}): CellRecord {
  const config = configOf(design);
  return {
    cellId: cellOf(config).id,
    gridIndex,
    point: pointOf(design),
    config,
    state: "committed",
    reason: "",
    result: resultOf(design),
    workerId: `worker-${(gridIndex % 2) + 1}`,
    attempts: 1,
    cached: false,
    ...over,
  };
}

const UNFINISHED: readonly RecordState[] = ["quarantined", "cancelled", "running", "pending"];

/** All rows. Every twelfth cell has a bad verdict; a few have no result. */
export function syntheticRows(): readonly ResultRow[] {
  return designs().map((design, index) => {
    if (index % 47 === 46) {
      const state = UNFINISHED[Math.floor(index / 47) % UNFINISHED.length]!;
      const reason = state === "quarantined" ? "lost 3 times: the trainer process died" : "";
      return rowOf(recordOf(design, index, { state, reason, result: undefined, workerId: "", attempts: 3 }));
    }
    if (index % 61 === 60) {
      const blown: CellResult = {
        ...resultOf(design),
        outcome: "diverged",
        reason: "loss NaN at step 312",
        stopped: "diverged",
        steps: 312,
        trainLoss: null,
        testLoss: null,
        trainAccuracy: null,
        testAccuracy: null,
        estimate: null,
      };
      return rowOf(recordOf(design, index, { result: blown }));
    }
    const verdict = index % 12 === 11 ? VERDICTS[1 + (Math.floor(index / 12) % (VERDICTS.length - 1))]! : "ok";
    return rowOf(recordOf(design, index, { result: resultOf(design, verdict) }));
  });
}

/** Loss curves and chains of every cell that has a result. */
export function* syntheticSeries(rows: readonly ResultRow[]): Generator<SeriesChunk> {
  const names = ["train.loss", "test.loss", "chain.0", "chain.1", "chain.2", "chain.3"];
  for (const { cellId, result } of rows) {
    if (result === undefined || result.trainLoss === null) continue;
    const z = normals(cellId, 4 * 500 + 64);
    const chunk = { cellId, names, name: [] as number[], step: [] as bigint[], value: [] as number[] };
    const add = (name: number, step: number, value: number): void => {
      chunk.name.push(name);
      chunk.step.push(BigInt(step));
      chunk.value.push(value);
    };
    for (let i = 0; i <= 30; i += 1) {
      const decay = Math.exp(-i / 6);
      add(0, i * 50, result.trainLoss * (1 + 12 * decay * (1 + 0.1 * z[2000 + i]!)));
      add(1, i * 50, (result.testLoss ?? 0) * (1 + 9 * decay * (1 + 0.1 * z[2032 + i]!)));
    }
    const lambdaHat = result.estimate?.lambdaHat ?? 0;
    for (let chain = 0; chain < 4; chain += 1) {
      let x = 0;
      for (let draw = 0; draw < 500; draw += 1) {
        x = 0.8 * x + 0.6 * z[chain * 500 + draw]!;
        add(2 + chain, draw * 2, lambdaHat + Math.sqrt(Math.abs(lambdaHat)) * x);
      }
    }
    yield chunk;
  }
}

export function syntheticInput(rows: readonly ResultRow[] = syntheticRows()): ReportInput {
  return { name: "regularisers-on-digits", axes: AXES, rows, series: syntheticSeries(rows), provenance: PROVENANCE };
}
