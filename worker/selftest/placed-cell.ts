/**
 * Cells whose weights the selftest chooses, where no training and no named start leads: at an exact minimum, beside one, at a
 * saddle. Data, training and estimate are those of a shard.
 */
import { canonicalJson } from "../../src/core/canonical-json.ts";
import { OccamError } from "../../src/core/errors.ts";
import type { LoadedData } from "../../src/catalogue/entry.ts";
import type { Estimate } from "../../src/result/cell-result.ts";
import type { Cell } from "../../src/spec/cell.ts";
import { estimateAll } from "../complexity/estimate.ts";
import type { TrainedWell } from "../complexity/trained.ts";
import { Pace } from "../engine/pace.ts";
import { openProgram, type Program } from "../engine/program.ts";
import { FusedData } from "../train/fused-data.ts";
import { train } from "../train/train.ts";
import { programData } from "../trainer/program-data.ts";
import { inTensorScope } from "../trainer/tensor-scope.ts";
import type { Bench } from "./section.ts";

export type Weights = readonly Float32Array[];
/** Where to put a cell, from the weights that its training ended at and its data. */
export type Place = (weights: Weights, data: LoadedData) => Weights;

export interface Placed {
  readonly program: Program;
  readonly data: FusedData;
  readonly well: TrainedWell;
  readonly pace: Pace;
}

/** Lends the placed cell to `use`; its tensors are gone afterwards. */
export async function withPlaced<T>(
  cell: Cell,
  place: Place,
  bench: Bench,
  use: (placed: Placed) => Promise<T>,
): Promise<T> {
  const { engine } = bench;
  const { tf } = engine;
  const taken: { value?: T } = {};
  await inTensorScope(tf, async () => {
    const program = openProgram(engine, cell.config);
    const loaded = await engine.datasets.load(cell.config.data);
    const ready = { cell, dataName: canonicalJson(cell.config.data), data: loaded };
    const { datasets, members } = programData(program, [ready]);
    const data = new FusedData(program, datasets);
    const pace = new Pace(engine.clock, new AbortController().signal);
    const wells: TrainedWell[] = [];
    const events = {
      progress: () => undefined,
      metrics: () => undefined,
      ended: (ended: TrainedWell | { readonly outcome: "diverged" }) => {
        if (ended.outcome === "ok") wells.push(ended);
      },
    };
    try {
      await train(program, data, members, events, pace);
      const [well] = wells;
      if (well === undefined) throw new OccamError("internal", "a cell of the selftest diverged in training");
      const weights = place(well.weights, datasets[well.member.dataset]!);
      taken.value = await use({ program, data, pace, well: { ...well, weights } });
    } finally {
      data.dispose();
    }
  });
  return taken.value!;
}

/** The estimate at those weights. */
export function estimatePlaced(cell: Cell, place: Place, bench: Bench): Promise<Estimate> {
  return withPlaced(cell, place, bench, async ({ program, data, well, pace }) => {
    const events = { progress: () => undefined, metrics: () => undefined, log: () => undefined };
    const [estimates] = await estimateAll(program, data, [well], events, pace);
    return estimates!.estimate!;
  });
}
