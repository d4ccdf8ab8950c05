/** What the coordinator needs of a sweep file. `read-spec.ts` reads real ones; a simulation brings its own. */
import type { CellId, FuseKey, SweepId } from "../../src/core/ids.ts";

export interface SpecCell {
  readonly id: CellId;
  readonly fuseKey: FuseKey;
  /** Canonical JSON of its configuration, cut before each field; texts that cells share are one object. */
  readonly config: readonly string[];
  readonly bytesPerMember: number;
  readonly flops: number;
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
