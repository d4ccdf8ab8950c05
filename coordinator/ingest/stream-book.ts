/**
 * Where each stream ends: the offset of its next record, counting what is written but not durable yet. Streams of ended
 * attempts are forgotten once that is durable, and read from the store when they are asked for again.
 */
import type { LeaseToken } from "../../src/core/ids.ts";
import type { StreamKey } from "../store/change.ts";
import type { StoredStream } from "../store/store.ts";

export interface HotStream {
  readonly key: StreamKey;
  readonly streamId: number;
  readonly nextOffset: number;
}

interface Entry extends HotStream {
  nextOffset: number;
  /** Appends that are not durable yet. */
  underWay: number;
  forgotten: boolean;
}

export class StreamBook {
  /** By the key of their cell, or by their session: of one owner there are few. */
  readonly #streams = new Map<number | string, Entry[]>();
  /** Own logs of sessions, the one that was written longest ago first. */
  readonly #ownLogs = new Map<string, StreamKey>();
  #nextStreamId: number;
  #nextLogSeq: number;

  constructor(nextStreamId: number, nextLogSeq: number) {
    this.#nextStreamId = nextStreamId;
    this.#nextLogSeq = nextLogSeq;
  }

  get(key: StreamKey): HotStream | undefined {
    return this.#streams.get(ownerOf(key))?.find((stream) => isOf(stream, key));
  }

  /** As the store has it, unless it has become known in the meantime. */
  open(key: StreamKey, stored: StoredStream | undefined): HotStream {
    const known = this.get(key);
    if (known !== undefined) return known;
    const entry = { key, ...(stored ?? this.#newStream()), underWay: 0, forgotten: false };
    const others = this.#streams.get(ownerOf(key));
    if (others === undefined) this.#streams.set(ownerOf(key), [entry]);
    else others.push(entry);
    return entry;
  }

  /** An own log was written. Of those, `most` stay in memory. */
  boundOwnLogs(key: StreamKey, most: number): void {
    const name = nameOf(key);
    this.#ownLogs.delete(name);
    this.#ownLogs.set(name, key);
    if (this.#ownLogs.size <= most) return;
    const [oldest, oldestKey] = this.#ownLogs.entries().next().value!;
    this.#ownLogs.delete(oldest);
    this.forget(oldestKey);
  }

  /** Moves the end by `count` records and gives where it was. To be followed by `durable`. */
  extend(stream: HotStream, count: number): number {
    const entry = stream as Entry;
    const firstOffset = entry.nextOffset;
    entry.nextOffset += count;
    entry.underWay += 1;
    return firstOffset;
  }

  /** One append has become durable. */
  durable(stream: HotStream): void {
    const entry = stream as Entry;
    entry.underWay -= 1;
    if (entry.forgotten) this.#drop(entry);
  }

  newLogSeq(): number {
    const seq = this.#nextLogSeq;
    this.#nextLogSeq += 1;
    return seq;
  }

  /** The seq that the next log line gets. */
  get nextLogSeq(): number {
    return this.#nextLogSeq;
  }

  /** Little more is expected of it: it leaves memory once all appends to it are durable. */
  forget(key: StreamKey): void {
    const entry = this.get(key);
    if (entry !== undefined) this.#drop(entry as Entry);
  }

  /** Of the streams of an ended attempt. */
  forgetAttempt(cellKey: number, token: LeaseToken): void {
    const attempts = this.#streams.get(cellKey);
    if (attempts === undefined) return;
    for (const entry of attempts.filter((each) => each.key.token === token)) this.#drop(entry);
  }

  #drop(entry: Entry): void {
    entry.forgotten = true;
    if (entry.underWay > 0) return;
    const owner = ownerOf(entry.key);
    const others = this.#streams.get(owner)?.filter((each) => each !== entry) ?? [];
    if (others.length > 0) this.#streams.set(owner, others);
    else this.#streams.delete(owner);
  }

  #newStream(): StoredStream {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 1;
    return { streamId, nextOffset: 0 };
  }
}

const ownerOf = ({ cellKey, sessionId }: StreamKey): number | string => (sessionId === "" ? cellKey : sessionId);

const isOf = ({ key }: Entry, { kind, token }: StreamKey): boolean => key.kind === kind && key.token === token;

function nameOf({ kind, cellKey, token, sessionId }: StreamKey): string {
  return `${kind}/${cellKey}/${token}/${sessionId}`;
}
