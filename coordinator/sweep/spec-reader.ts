/** What the coordinator needs of a sweep file. `read-spec.ts` reads real ones; a simulation brings its own. */
import type { SweepId } from "../../src/core/ids.ts";
import type { CellArm, NewCell } from "../store/change.ts";

/** What cells that differ in their seed alone share. */
export interface SpecArm extends CellArm {
  readonly bytesPerMember: number;
  readonly flops: number;
}

export interface SpecCell extends NewCell {
  readonly arm: SpecArm;
}

export interface ReadSpec {
  readonly name: string;
  /** Points before filters. */
  readonly gridSize: number;
  /** Two points may be one cell. */
  readonly mayRepeat: boolean;
  /** The sweep's id. `requestId`: of a submission without the cache, which is a sweep of its own. */
  id(requestId: string | undefined): SweepId;
  /** undefined: filtered out. */
  at(index: number): SpecCell | undefined;
  /** A point's axis values in a few words. */
  label(index: number): string;
}

export interface SpecReader {
  /** @throws OccamError "bad-spec" with every problem */
  read(text: string, fileName: string): Promise<ReadSpec>;
}
