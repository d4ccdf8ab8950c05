/**
 * One stream of records on its way to the coordinator: what was appended, what was sent, what is durable there.
 *
 *   0 ... base ... acked ... sent ... end
 *
 * Invariants:
 * 1. Offsets number records from 0 without a gap; base <= acked <= sent <= end.
 * 2. Records from `base` on are in memory; those below `acked` are durable and kept only to be sent again on request.
 * 3. A batch that was sent before a rewind never causes another one: each carries the generation that it was cut in.
 */
import { invariant } from "../../src/core/errors.ts";

export interface Batch<R> {
  readonly firstOffset: number;
  readonly records: readonly R[];
  readonly endOffset: number;
  readonly generation: number;
}

/** `lost`: the coordinator wants records that are no longer here. */
export type Acknowledgement = "advanced" | "rewound" | "lost";

export class RecordStream<R> {
  #records: R[] = [];
  /** Bytes of all records before each one of `#records`, and after the last. */
  #bytesBefore: number[] = [0];
  #base = 0;
  #acked = 0;
  #sent = 0;
  #generation = 0;

  /** Records that were ever appended. */
  get end(): number {
    return this.#base + this.#records.length;
  }
  get allSent(): boolean {
    return this.#sent === this.end;
  }
  get allAcked(): boolean {
    return this.#acked === this.end;
  }
  get unsentBytes(): number {
    return this.#bytesFrom(this.#sent);
  }
  get unackedBytes(): number {
    return this.#bytesFrom(this.#acked);
  }
  get heldBytes(): number {
    return this.#bytesFrom(this.#base);
  }

  append(record: R, sizeBytes: number): void {
    this.#records.push(record);
    this.#bytesBefore.push(this.#bytesBefore.at(-1)! + sizeBytes);
  }

  /** The next records to send, at most `maxBytes` of them but at least one. */
  nextBatch(maxBytes: number): Batch<R> | undefined {
    if (this.allSent) return undefined;
    const first = this.#sent - this.#base;
    const limit = this.#bytesBefore[first]! + maxBytes;
    let last = first + 1;
    while (last < this.#records.length && this.#bytesBefore[last + 1]! <= limit) last += 1;
    const firstOffset = this.#sent;
    this.#sent = this.#base + last;
    return {
      firstOffset,
      records: this.#records.slice(first, last),
      endOffset: this.#sent,
      generation: this.#generation,
    };
  }

  /** The coordinator has `nextOffset` records, says its answer to `batch`. */
  acknowledge(batch: Batch<R>, nextOffset: number): Acknowledgement {
    if (nextOffset < this.#base || nextOffset > this.end) return "lost";
    if (batch.generation !== this.#generation) {
      // From before a rewind: it may tell of progress, never of a gap.
      this.#advance(Math.max(this.#acked, nextOffset));
      return "advanced";
    }
    if (nextOffset < batch.endOffset) {
      this.#rewind(nextOffset);
      return "rewound";
    }
    this.#advance(nextOffset);
    return "advanced";
  }

  /** The connection is gone: what is not acknowledged will be sent again. */
  disconnected(): void {
    this.#rewind(this.#acked);
  }

  /** Sends again everything that is still here; what the coordinator has, it will skip. */
  replay(): void {
    this.#rewind(this.#base);
  }

  /** Forgets records that are durable. */
  releaseAcked(): void {
    this.#drop(this.#acked - this.#base);
  }

  /** Drops the oldest records that nobody sent, down to `keepBytes`; later records take their offsets. Returns how many. */
  dropUnsent(keepBytes: number): number {
    const first = this.#sent - this.#base;
    let last = first;
    while (last < this.#records.length && this.#bytesBefore.at(-1)! - this.#bytesBefore[last]! > keepBytes) last += 1;
    if (last === first) return 0;
    const sizes = this.#bytesBefore.slice(1).map((bytes, i) => bytes - this.#bytesBefore[i]!);
    this.#records.splice(first, last - first);
    sizes.splice(first, last - first);
    this.#bytesBefore = [0];
    for (const size of sizes) this.#bytesBefore.push(this.#bytesBefore.at(-1)! + size);
    return last - first;
  }

  #advance(acked: number): void {
    this.#acked = acked;
    this.#sent = Math.max(this.#sent, acked);
  }

  #rewind(offset: number): void {
    invariant(offset >= this.#base, `rewind to ${offset}, below ${this.#base}`);
    this.#acked = offset;
    this.#sent = offset;
    this.#generation += 1;
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#records = this.#records.slice(count);
    const freed = this.#bytesBefore[count]!;
    this.#bytesBefore = this.#bytesBefore.slice(count).map((bytes) => bytes - freed);
    this.#base += count;
  }

  #bytesFrom(offset: number): number {
    return this.#bytesBefore.at(-1)! - this.#bytesBefore[offset - this.#base]!;
  }
}
