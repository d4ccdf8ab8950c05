/** A stream of messages that ends when what is done with them fails, also while no further message comes. */

export class UntilFailure<T> {
  readonly #messages: AsyncIterator<T>;
  /** Of the wait for the next message. One place for it: a promise that every wait is raced with would keep all of them. */
  #raise: ((error: unknown) => void) | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(messages: AsyncIterable<T>) {
    this.#messages = messages[Symbol.asyncIterator]();
  }

  /** The first one counts. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#raise?.(error);
  }

  /** Throws what `fail` was given. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = await this.#next();
      if (next.done === true) return;
      yield next.value;
    }
  }

  #next(): Promise<IteratorResult<T>> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure.error);
      this.#raise = reject;
      this.#messages.next().then(resolve, reject);
    });
  }
}
