/** Records in memory one after another, with how many bytes they take on the wire. */

export class RecordRun<R> {
  #records: R[] = [];
  /** Bytes of all records that were ever appended before each one of `#records`, and after the last. */
  #bytesBefore: number[] = [0];

  get count(): number {
    return this.#records.length;
  }

  get bytes(): number {
    return this.bytesFrom(0);
  }

  append(record: R, sizeBytes: number): void {
    this.#records.push(record);
    this.#bytesBefore.push(this.#bytesBefore.at(-1)! + sizeBytes);
  }

  /** Puts the other's records behind these; the other is not to be used again. */
  join(later: RecordRun<R>): void {
    if (later.count === 0) return;
    const shift = this.#bytesBefore.at(-1)! - later.#bytesBefore[0]!;
    for (const [at, record] of later.#records.entries()) {
      this.#records.push(record);
      this.#bytesBefore.push(later.#bytesBefore[at + 1]! + shift);
    }
  }

  /** Bytes of the records from this place on. */
  bytesFrom(place: number): number {
    return this.#bytesBefore.at(-1)! - this.#bytesBefore[place]!;
  }

  /** Where records from `place` on come to `maxBytes` at the most; at least one record further. */
  endWithin(place: number, maxBytes: number): number {
    const limit = this.#bytesBefore[place]! + maxBytes;
    let end = place + 1;
    while (end < this.count && this.#bytesBefore[end + 1]! <= limit) end += 1;
    return end;
  }

  slice(from: number, to: number): readonly R[] {
    return this.#records.slice(from, to);
  }

  /** Puts others in the places `from` to `to`, one for each. */
  replace(from: number, to: number, other: (record: R) => { readonly record: R; readonly sizeBytes: number }): void {
    const later = this.take(from, this.count);
    for (const each of later.slice(0, to - from)) {
      const { record, sizeBytes } = other(each);
      this.append(record, sizeBytes);
    }
    later.take(0, to - from);
    this.join(later);
  }

  /** Takes the records `from` to `to` out; those behind them move up. */
  take(from: number, to: number): RecordRun<R> {
    const taken = new RecordRun<R>();
    taken.#records = this.#records.slice(from, to);
    taken.#bytesBefore = this.#bytesBefore.slice(from, to + 1);
    if (from === 0) {
      this.#records = this.#records.slice(to);
      this.#bytesBefore = this.#bytesBefore.slice(to);
      return taken;
    }
    const freed = this.#bytesBefore[to]! - this.#bytesBefore[from]!;
    const later = this.#bytesBefore.slice(to + 1).map((bytes) => bytes - freed);
    this.#records = [...this.#records.slice(0, from), ...this.#records.slice(to)];
    this.#bytesBefore = [...this.#bytesBefore.slice(0, from + 1), ...later];
    return taken;
  }
}
