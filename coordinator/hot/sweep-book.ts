/** All sweeps. A sweep is found by its id, a unique prefix of it, or its name (the newest of that name). */
import { OccamError } from "../../src/core/errors.ts";
import type { SweepId } from "../../src/core/ids.ts";
import { Sweep } from "./sweep.ts";
import type { SweepRecord } from "../store/change.ts";

export class SweepBook {
  readonly #bySeq = new Map<number, Sweep>();
  readonly #byId = new Map<SweepId, Sweep>();
  #nextSeq: number;

  constructor(nextSeq: number) {
    this.#nextSeq = nextSeq;
  }

  newSeq(): number {
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    return seq;
  }

  add(record: SweepRecord): Sweep {
    const sweep = new Sweep(record);
    this.#bySeq.set(sweep.seq, sweep);
    this.#byId.set(record.id, sweep);
    return sweep;
  }

  get(id: SweepId): Sweep | undefined {
    return this.#byId.get(id);
  }

  bySeqs(seqs: readonly number[]): readonly Sweep[] {
    return seqs.flatMap((seq) => this.#bySeq.get(seq) ?? []);
  }

  /** Oldest first. */
  all(): readonly Sweep[] {
    return [...this.#bySeq.values()];
  }

  /** Throws "not-found" when no sweep, or more than one, is meant. */
  find(text: string): Sweep {
    const sweeps = this.all();
    const exact = this.#byId.get(text as SweepId) ?? sweeps.findLast((sweep) => sweep.record.name === text);
    if (exact !== undefined) return exact;
    const begun = text === "" ? [] : sweeps.filter((sweep) => sweep.record.id.startsWith(text));
    if (begun.length === 1) return begun[0]!;
    if (begun.length > 1) {
      const ids = begun.slice(0, 5).map((sweep) => sweep.record.id);
      throw new OccamError("not-found", `"${text}" begins ${begun.length} sweeps: ${ids.join(", ")}`, {
        hint: "give more of the id",
      });
    }
    throw new OccamError("not-found", `there is no sweep "${text}"`, {
      hint: sweeps.length === 0 ? "no sweep was submitted to this coordinator yet" : "list them with `occam status`",
    });
  }
}
