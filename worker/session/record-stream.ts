/**
 * One stream of records on its way to the coordinator: what was appended, what was sent, what is durable there.
 *
 *   0 ... base ... acked ... sent ... head's end ... parked ... end
 *         |------------ head ------------|-- on disk --|- leaving -|- tail -|
 *
 * Invariants:
 * 1. Offsets number records from 0 without a gap; base <= acked <= sent <= head's end <= end.
 * 2. The head is in memory and is all that is sent from; what is below `acked` in it is durable there, and kept only to be sent
 *    again on request. What is parked lies on disk in blocks, in order, and becomes a part of the head, block by block, before it
 *    is sent. `leaving` is on its way to the disk. Without a parked or a leaving block there is no tail.
 * 3. A batch that was sent before a rewind never causes another one: each carries the generation that it was cut in.
 * 4. What was ever sent is not parked: the coordinator may have it, so its place must hold the same record for ever, whatever
 *    becomes of the disk.
 */
import { invariant } from "../../src/core/errors.ts";
import { RecordRun } from "./record-run.ts";

export interface Batch<R> {
  readonly firstOffset: number;
  readonly records: readonly R[];
  readonly endOffset: number;
  readonly generation: number;
  /** On the wire. */
  readonly sizeBytes: number;
}

/** `lost`: the coordinator wants records that are no longer here. */
export type Acknowledgement = "advanced" | "rewound" | "lost";

/** A run of records on disk, as `B` knows where. */
export interface Parked<B> {
  readonly block: B;
  readonly count: number;
  readonly bytes: number;
}

/** What a record takes in memory beyond its bytes on the wire: an object, its numbers, its places in two arrays. */
const RECORD_OVERHEAD_BYTES = 56;

const memoryOf = (bytes: number, count: number): number => bytes + count * RECORD_OVERHEAD_BYTES;

export class RecordStream<R, B> {
  #base = 0;
  #acked = 0;
  #sent = 0;
  /** The largest that `#sent` ever was. */
  #everSent = 0;
  #generation = 0;
  readonly #head = new RecordRun<R>();
  #parked: Parked<B>[] = [];
  #parkedCount = 0;
  #parkedBytes = 0;
  #leaving: RecordRun<R> | undefined;
  #tail = new RecordRun<R>();

  /** Records that were ever appended. */
  get end(): number {
    return this.#headEnd + this.#parkedCount + (this.#leaving?.count ?? 0) + this.#tail.count;
  }
  get allSent(): boolean {
    return this.#sent === this.end;
  }
  get allAcked(): boolean {
    return this.#acked === this.end;
  }
  /** On the wire. */
  get unsentBytes(): number {
    return this.#unsentInHead + this.#parkedBytes + (this.#leaving?.bytes ?? 0) + this.#tail.bytes;
  }
  /** In memory, not acknowledged, and not on its way to the disk. */
  get unackedMemory(): number {
    const first = this.#acked - this.#base;
    return (
      memoryOf(this.#head.bytesFrom(first), this.#head.count - first) + memoryOf(this.#tail.bytes, this.#tail.count)
    );
  }
  /** In memory, acknowledged or not. */
  get heldMemory(): number {
    const { bytes, count } = this.#head;
    return memoryOf(bytes, count) + memoryOf(this.#tail.bytes, this.#tail.count);
  }
  /** Bytes on the wire of what could be parked now. */
  get parkableBytes(): number {
    if (this.#leaving !== undefined) return 0;
    return this.#parked.length > 0 ? this.#tail.bytes : this.#head.bytesFrom(this.#everSent - this.#base);
  }
  /** The block to be read before anything more can be sent. */
  get wanted(): Parked<B> | undefined {
    return this.#sent === this.#headEnd ? this.#parked[0] : undefined;
  }
  /** Is there something to send, or to be read for that? */
  get sendable(): boolean {
    return this.#sent < this.#headEnd || this.#parked.length > 0;
  }
  /** What is on disk. */
  get blocks(): readonly B[] {
    return this.#parked.map(({ block }) => block);
  }

  append(record: R, sizeBytes: number): void {
    (this.#isSplit ? this.#tail : this.#head).append(record, sizeBytes);
  }

  /** The next records to send, at most `maxBytes` of them but at least one; undefined: all is sent, or `wanted` comes first. */
  nextBatch(maxBytes: number): Batch<R> | undefined {
    if (this.#sent === this.#headEnd) return undefined;
    const first = this.#sent - this.#base;
    const last = this.#head.endWithin(first, maxBytes);
    const firstOffset = this.#sent;
    this.#sent = this.#base + last;
    this.#everSent = Math.max(this.#everSent, this.#sent);
    return {
      firstOffset,
      records: this.#head.slice(first, last),
      endOffset: this.#sent,
      generation: this.#generation,
      sizeBytes: this.#head.bytesFrom(first) - this.#head.bytesFrom(last),
    };
  }

  /** The coordinator has `nextOffset` records, says its answer to `batch`. */
  acknowledge(batch: Batch<R>, nextOffset: number): Acknowledgement {
    if (nextOffset < this.#base || nextOffset > this.#headEnd) return "lost";
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

  /**
   * The coordinator will never take this batch, says its answer to it: what of it is not there is replaced by what it will take,
   * a record for a record. Offsets stay as they are, so that a batch of before that comes late finds its records or is refused
   * again. How many were replaced.
   */
  refuse(batch: Batch<R>, nextOffset: number, other: (record: R) => { record: R; sizeBytes: number }): number {
    if (batch.generation !== this.#generation || nextOffset < batch.firstOffset || nextOffset < this.#base) return 0;
    const count = Math.max(0, batch.endOffset - nextOffset);
    this.#head.replace(nextOffset - this.#base, nextOffset - this.#base + count, other);
    return count;
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
    const count = this.#acked - this.#base;
    this.#head.take(0, count);
    this.#base += count;
  }

  /** Records that shall go to the disk, of at most `maxBytes`; to be followed by `parked` or `stayed`. */
  park(maxBytes: number): readonly R[] {
    invariant(this.parkableBytes > 0, "nothing can be parked");
    const from = this.#parked.length > 0 ? this.#tail : this.#head;
    const first = from === this.#tail ? 0 : this.#everSent - this.#base;
    const end = from.endWithin(first, maxBytes);
    const leaving = from.take(first, end);
    if (from === this.#head) this.#tail = this.#head.take(first, this.#head.count);
    this.#leaving = leaving;
    return leaving.slice(0, leaving.count);
  }

  /** What was leaving lies on disk. */
  parked(block: B): void {
    const { count, bytes } = this.#endLeaving();
    this.#parked.push({ block, count, bytes });
    this.#parkedCount += count;
    this.#parkedBytes += bytes;
  }

  /** The disk did not take what was leaving: it is in memory as before. */
  stayed(): void {
    const back = this.#endLeaving();
    back.join(this.#tail);
    this.#tail = back;
    this.#mergeWhenWhole();
  }

  /** The wanted block has been read; with other records in its place when it was damaged. */
  loaded(records: readonly { readonly record: R; readonly sizeBytes: number }[]): void {
    const first = this.#parked.shift();
    invariant(first, "a block was read that was not parked");
    this.#parkedCount -= first.count;
    this.#parkedBytes -= first.bytes;
    for (const { record, sizeBytes } of records) this.#head.append(record, sizeBytes);
    this.#mergeWhenWhole();
  }

  get #headEnd(): number {
    return this.#base + this.#head.count;
  }
  get #unsentInHead(): number {
    return this.#head.bytesFrom(this.#sent - this.#base);
  }
  get #isSplit(): boolean {
    return this.#parked.length > 0 || this.#leaving !== undefined;
  }

  #endLeaving(): RecordRun<R> {
    const leaving = this.#leaving;
    invariant(leaving, "nothing is on its way to the disk");
    this.#leaving = undefined;
    return leaving;
  }

  #mergeWhenWhole(): void {
    if (this.#isSplit) return;
    this.#head.join(this.#tail);
    this.#tail = new RecordRun();
  }

  #advance(acked: number): void {
    this.#acked = acked;
    this.#sent = Math.max(this.#sent, acked);
    this.#everSent = Math.max(this.#everSent, this.#sent);
  }

  #rewind(offset: number): void {
    invariant(offset >= this.#base, `rewind to ${offset}, below ${this.#base}`);
    this.#acked = offset;
    this.#sent = offset;
    this.#generation += 1;
  }
}
