/**
 * Records that wait for the coordinator, on disk: blocks of bytes in segment files. It is a place to put memory, not a store:
 * nothing is synced, and its files end with the process.
 *
 * Invariants:
 * 1. A block that was written reads back byte for byte, or is said to be damaged (CRC-32).
 * 2. A failed write takes nothing: the next one begins at the same place.
 * 3. The space of a segment is given back when all of its blocks are freed.
 */
import { crc32 } from "node:zlib";
import type { Clock } from "../../src/core/clock.ts";
import { invariant, messageOf } from "../../src/core/errors.ts";

/** An open file that has no name any more. */
export interface SegmentFile {
  write(data: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>;
  read(data: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  close(): Promise<void>;
}

interface Segment {
  readonly file: SegmentFile;
  sizeBytes: number;
  blocks: number;
}

export interface SpoolBlock {
  readonly segment: Segment;
  readonly position: number;
  readonly sizeBytes: number;
  readonly crc: number;
}

export interface SpoolOptions {
  /** Rejects when there is no room, or no folder. */
  readonly newFile: () => Promise<SegmentFile>;
  /** Of all segments together. */
  readonly limitBytes: number;
  readonly segmentBytes: number;
  readonly clock: Clock;
  /** Once for each time that it ceases to take blocks (with the reason), and once when it takes them again. */
  readonly onTrouble: (reason: string | undefined) => void;
}

/** A spool that failed is tried again after this long, or when space is given back. */
const RETRY_MS = 5_000;

export class Spool {
  readonly #options: SpoolOptions;
  readonly #segments = new Set<Segment>();
  #current: Segment | undefined;
  #trouble: string | undefined;
  #retryAtMs = 0;

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  /** Is it worth a try to write? */
  get usable(): boolean {
    return this.#trouble === undefined || this.#options.clock.monotonicMs() >= this.#retryAtMs;
  }

  /** Why it takes nothing; undefined when it does, as far as is known. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** On disk, freed blocks of segments that are still in use included. */
  get sizeBytes(): number {
    let total = 0;
    for (const { sizeBytes } of this.#segments) total += sizeBytes;
    return total;
  }

  /** Undefined when there is no room. One write at a time. */
  async write(data: Uint8Array): Promise<SpoolBlock | undefined> {
    let segment: Segment | undefined;
    try {
      segment = await this.#segmentFor(data.byteLength);
      // Counted before it is written, so that the segment stays open though its other blocks be freed meanwhile.
      segment.blocks += 1;
      const position = segment.sizeBytes;
      await writeAll(segment.file, data, position);
      segment.sizeBytes += data.byteLength;
      if (this.#trouble !== undefined) this.#setTrouble(undefined);
      return { segment, position, sizeBytes: data.byteLength, crc: crc32(data) };
    } catch (error) {
      if (segment !== undefined) segment.blocks -= 1;
      this.#retryAtMs = this.#options.clock.monotonicMs() + RETRY_MS;
      if (this.#trouble === undefined) this.#setTrouble(messageOf(error));
      return undefined;
    }
  }

  /** Undefined when the block cannot be read, or is not what was written. */
  async read({ segment, position, sizeBytes, crc }: SpoolBlock): Promise<Uint8Array | undefined> {
    const data = new Uint8Array(sizeBytes);
    try {
      for (let done = 0; done < sizeBytes;) {
        const { bytesRead } = await segment.file.read(data, done, sizeBytes - done, position + done);
        if (bytesRead === 0) return undefined;
        done += bytesRead;
      }
    } catch {
      return undefined;
    }
    return crc32(data) === crc ? data : undefined;
  }

  free({ segment }: SpoolBlock): void {
    segment.blocks -= 1;
    invariant(segment.blocks >= 0, "a block was freed twice");
    if (segment.blocks > 0) return;
    // Room again, whatever it was that failed.
    this.#retryAtMs = 0;
    if (segment === this.#current) this.#current = undefined;
    this.#segments.delete(segment);
    void segment.file.close().catch(() => undefined);
  }

  /** Gives everything back. */
  async close(): Promise<void> {
    const files = [...this.#segments].map(({ file }) => file.close());
    this.#segments.clear();
    this.#current = undefined;
    await Promise.allSettled(files);
  }

  async #segmentFor(bytes: number): Promise<Segment> {
    const { limitBytes, segmentBytes, newFile } = this.#options;
    if (this.sizeBytes + bytes > limitBytes) throw new Error(`it has reached its limit of ${limitBytes} bytes`);
    if (this.#current !== undefined && this.#current.sizeBytes + bytes <= segmentBytes) return this.#current;
    const segment = { file: await newFile(), sizeBytes: 0, blocks: 0 };
    this.#segments.add(segment);
    // One that was written to and holds nothing any more is gone already; one that was never written to goes now.
    if (this.#current?.blocks === 0) this.#discard(this.#current);
    this.#current = segment;
    return segment;
  }

  #discard(segment: Segment): void {
    this.#segments.delete(segment);
    void segment.file.close().catch(() => undefined);
  }

  #setTrouble(reason: string | undefined): void {
    this.#trouble = reason;
    this.#options.onTrouble(reason);
  }
}

async function writeAll(file: SegmentFile, data: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < data.byteLength;) {
    const { bytesWritten } = await file.write(data, done, data.byteLength - done, position + done);
    if (bytesWritten === 0) throw new Error("the disk takes no more");
    done += bytesWritten;
  }
}
