/**
 * Lets batches of records into the store a bounded number of bytes at a time. What is inside at once becomes one transaction, and
 * a transaction is one stall of the event loop: heartbeats and commits, which do not pass here, wait for no more than that.
 *
 * Invariants:
 * 1. At most `limitBytes` are inside, or one larger batch alone.
 * 2. Batches of one sender go in as they came; senders take turns, so that one that floods does not shut the others out.
 */

interface Waiting {
  readonly sizeBytes: number;
  readonly enter: () => void;
}

export class IngestGate {
  readonly #limitBytes: number;
  /** Round robin: the sender that is served goes to the end. */
  readonly #queues = new Map<string, Waiting[]>();
  #insideBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Runs `append` when there is room; what it resolves with means that the batch is durable or refused. */
  async pass<T>(sender: string, sizeBytes: number, append: () => Promise<T>): Promise<T> {
    await this.#room(sender, sizeBytes);
    try {
      return await append();
    } finally {
      this.#insideBytes -= sizeBytes;
      this.#admit();
    }
  }

  #room(sender: string, sizeBytes: number): Promise<void> {
    if (this.#queues.size === 0 && this.#fits(sizeBytes)) {
      this.#insideBytes += sizeBytes;
      return Promise.resolve();
    }
    return new Promise((enter) => {
      const queue = this.#queues.get(sender);
      if (queue === undefined) this.#queues.set(sender, [{ sizeBytes, enter }]);
      else queue.push({ sizeBytes, enter });
    });
  }

  #fits(sizeBytes: number): boolean {
    return this.#insideBytes === 0 || this.#insideBytes + sizeBytes <= this.#limitBytes;
  }

  #admit(): void {
    for (;;) {
      const [first] = this.#queues;
      if (first === undefined) return;
      const [sender, queue] = first;
      const next = queue[0]!;
      if (!this.#fits(next.sizeBytes)) return;
      queue.shift();
      this.#queues.delete(sender);
      if (queue.length > 0) this.#queues.set(sender, queue);
      this.#insideBytes += next.sizeBytes;
      next.enter();
    }
  }
}
