/**
 * Looks through SQLite's write-ahead log before SQLite does. A frame whose checksum is wrong ends the log for SQLite, without a word:
 * right for the last transaction, which a crash may have torn before it was acknowledged, and a silent loss when acknowledged
 * ones follow it. With `synchronous = full` a transaction is on the disk before the next one is written: a damaged frame that
 * two commits of the same log follow (its own and a later one) was on the disk once, whole.
 *
 * What cannot be told from a torn end is damage in the very last transaction. Format: https://www.sqlite.org/fileformat2.html#walformat
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** The last bit says that checksums read big-endian words. */
const MAGIC = 0x377f0682;
const LARGEST_PAGE = 65_536;

/** What is wrong with the log beside a database file; undefined: nothing, or there is none. */
export function damageOfLog(database: string): string | undefined {
  const path = `${database}-wal`;
  if (!existsSync(path)) return undefined;
  const file = openSync(path, "r");
  try {
    return new Log(file, pageBytesOf(database)).damage();
  } finally {
    closeSync(file);
  }
}

/** By the database's own header; 0: it has none yet. */
function pageBytesOf(database: string): number {
  if (!existsSync(database)) return 0;
  const file = openSync(database, "r");
  try {
    const bytes = Buffer.alloc(2);
    const given = readSync(file, bytes, 0, 2, 16) === 2 ? bytes.readUInt16BE(0) : 0;
    return given === 1 ? LARGEST_PAGE : given;
  } finally {
    closeSync(file);
  }
}

/** SQLite's running checksum: two words. */
type Sums = readonly [number, number];

class Log {
  readonly #file: number;
  readonly #frames: number;
  readonly #header: Buffer;
  readonly #frameBytes: number;

  constructor(file: number, pageBytes: number) {
    this.#file = file;
    this.#header = this.#read(0, HEADER_BYTES);
    this.#frameBytes = pageBytes + FRAME_HEADER_BYTES;
    this.#frames = pageBytes === 0 ? 0 : Math.floor((fstatSync(file).size - HEADER_BYTES) / this.#frameBytes);
  }

  damage(): string | undefined {
    if (this.#frames <= 0) return undefined;
    const salts = this.#header.subarray(16, 24);
    let sums = checksum(this.#header.subarray(0, 24), this.#isBigEndian, [0, 0]);
    if (!isSame(sums, this.#header, 24)) return this.#damagedHeader(salts);
    for (let at = 0; at < this.#frames; at += 1) {
      const frame = this.#read(HEADER_BYTES + at * this.#frameBytes, this.#frameBytes);
      sums = checksum(frame.subarray(0, 8), this.#isBigEndian, sums);
      sums = checksum(frame.subarray(FRAME_HEADER_BYTES), this.#isBigEndian, sums);
      if (!isSame(sums, frame, 16) || !frame.subarray(8, 16).equals(salts)) return this.#damagedAt(at, salts);
    }
    return undefined;
  }

  /** A header that a crash tore is that of a new log: its salts have nothing to do with those of the frames of before. */
  #damagedHeader(salts: Buffer): string | undefined {
    const first = this.#headOf(0).subarray(8, 16);
    if (bitsApart(first, salts) > 1 || this.#commitsFrom(0, first) < 2) return undefined;
    return "the header of its log is damaged";
  }

  get #isBigEndian(): boolean {
    return this.#header.readUInt32BE(0) === MAGIC + 1;
  }

  #damagedAt(at: number, salts: Buffer): string | undefined {
    if (this.#commitsFrom(at, salts) < 2) return undefined;
    return `frame ${at + 1} of ${this.#frames} of its log is damaged, and transactions that were acknowledged follow it`;
  }

  /** Frames of this log (one of before has other salts) that end a transaction. */
  #commitsFrom(first: number, salts: Buffer): number {
    let commits = 0;
    for (let at = first; at < this.#frames; at += 1) {
      const head = this.#headOf(at);
      if (head.subarray(8, 16).equals(salts) && head.readUInt32BE(4) !== 0) commits += 1;
    }
    return commits;
  }

  #headOf(at: number): Buffer {
    return this.#read(HEADER_BYTES + at * this.#frameBytes, FRAME_HEADER_BYTES);
  }

  #read(position: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#file, bytes, 0, length, position));
  }
}

function checksum(bytes: Buffer, bigEndian: boolean, [first, second]: Sums): Sums {
  let s0 = first;
  let s1 = second;
  for (let at = 0; at < bytes.length; at += 8) {
    const x0 = bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const x1 = bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    s0 = (s0 + x0 + s1) >>> 0;
    s1 = (s1 + x1 + s0) >>> 0;
  }
  return [s0, s1];
}

function isSame([first, second]: Sums, bytes: Buffer, at: number): boolean {
  return first === bytes.readUInt32BE(at) && second === bytes.readUInt32BE(at + 4);
}

function bitsApart(left: Buffer, right: Buffer): number {
  let bits = 0;
  for (const [at, byte] of left.entries()) {
    for (let rest = byte ^ right[at]!; rest > 0; rest &= rest - 1) bits += 1;
  }
  return bits;
}
