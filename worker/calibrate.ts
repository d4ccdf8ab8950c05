/**
 * One cell of a sweep in one process, for `occam calibrate`: trained once, then estimated by one setting after another. Nothing of
 * it goes through a coordinator: cells that differ in their estimate alone would each be trained again.
 */
import { OccamError } from "../src/core/errors.ts";
import type { Clock } from "../src/core/clock.ts";
import { canonicalJson } from "../src/core/canonical-json.ts";
import type { Measured } from "../src/calibrate/measurement.ts";
import type { Cell, EstimateConfig } from "../src/spec/cell.ts";
import { estimateAll } from "./complexity/estimate.ts";
import type { TrainedWell } from "./complexity/trained.ts";
import { openEngine, type Engine } from "./engine/engine.ts";
import { Pace } from "./engine/pace.ts";
import { openProgram, type Program } from "./engine/program.ts";
import { FusedData } from "./train/fused-data.ts";
import { train, type Trained } from "./train/train.ts";
import type { BackendChoice } from "./trainer/protocol.ts";
import { programData } from "./trainer/program-data.ts";
import type { ShardEvents, ShardProgress } from "./trainer/shard.ts";
import { inTensorScope } from "./trainer/tensor-scope.ts";

export interface CellOptions {
  readonly backend: BackendChoice;
  readonly clock: Clock;
  /** Ends what runs with OccamError "cancelled". */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ShardProgress) => void;
  /** What a person should know. */
  readonly onNote: (text: string) => void;
}

/** A trained cell that waits for settings. */
export interface TrainedCell {
  readonly backend: string;
  readonly parameters: number;
  /** Updates done. */
  readonly steps: number;
  readonly trainLoss: number;
  readonly trainSeconds: number;
  /** One at a time. */
  estimate(config: EstimateConfig): Promise<Measured>;
  dispose(): void;
}

/** @throws OccamError "unsupported" for a backend that cannot be used, "not-found" where training diverged */
export async function trainCell(cell: Cell, options: CellOptions): Promise<TrainedCell> {
  const { backend, clock, signal } = options;
  const engine = await openEngine(backend, { clock, onFallback: options.onNote });
  const pace = new Pace(clock, signal);
  const program = openProgram(engine, cell.config);
  const startMs = clock.monotonicMs();
  const data = await engine.datasets.load(cell.config.data);
  const { datasets, members } = programData(program, [{ cell, dataName: canonicalJson(cell.config.data), data }]);
  const fused = new FusedData(program, datasets);
  const events = eventsOf(options);
  const ended: Trained[] = [];
  await train(program, fused, members, { ...events, ended: (one) => ended.push(one) }, pace);
  const [trained] = ended;
  if (trained?.outcome !== "ok") {
    fused.dispose();
    const why = trained === undefined ? "" : `: loss ${trained.loss} at step ${trained.steps}`;
    throw new OccamError("not-found", `training diverged${why}, so there is nothing to calibrate`, {
      where: `cell ${cell.id.slice(0, 12)}`,
      hint: "Choose another cell with --cell or --where, or lower its learning rate.",
    });
  }
  return {
    backend: engine.backend,
    parameters: program.parameterCount,
    steps: trained.steps,
    trainLoss: trained.train.loss,
    trainSeconds: (clock.monotonicMs() - startMs) / 1000,
    estimate: (config) => estimated({ engine, program, fused, trained, events, pace }, config),
    dispose: () => fused.dispose(),
  };
}

interface Bench {
  readonly engine: Engine;
  readonly program: Program;
  readonly fused: FusedData;
  readonly trained: TrainedWell;
  readonly events: Pick<ShardEvents, "progress" | "metrics" | "log">;
  readonly pace: Pace;
}

async function estimated(bench: Bench, estimate: EstimateConfig): Promise<Measured> {
  const { engine, program, fused, trained, events, pace } = bench;
  const { member } = trained;
  // Chance hangs on the seed alone, so settings are compared on the same draws.
  const cell = { ...member.cell, config: { ...member.cell.config, estimate } };
  const startMs = engine.clock.monotonicMs();
  let measured: Measured | undefined;
  await inTensorScope(engine.tf, async () => {
    const [found] = await estimateAll(program, fused, [{ ...trained, member: { ...member, cell } }], events, pace);
    if (found?.estimate === null || found === undefined) return;
    const seconds = (engine.clock.monotonicMs() - startMs) / 1000;
    measured = { estimate: found.estimate, seconds, rows: found.estimate.n / program.positions };
  });
  if (measured === undefined) throw new OccamError("internal", "these settings make no estimate");
  return measured;
}

function eventsOf({ onProgress, onNote }: CellOptions): Bench["events"] {
  return {
    progress: onProgress,
    metrics: () => undefined,
    log: (_id, level, message) => {
      if (level === "warn" || level === "error") onNote(message);
    },
  };
}
