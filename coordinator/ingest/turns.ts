/** Runs what has the same name one after another, in the order in which it came; what has other names is not waited for. */
export class Turns {
  /** The last of each name that has not ended. */
  readonly #last = new Map<string, Promise<unknown>>();

  async take<T>(name: string, run: () => Promise<T>): Promise<T> {
    const mine = this.#last.get(name)?.then(run, run) ?? run();
    this.#last.set(name, mine);
    try {
      return await mine;
    } finally {
      if (this.#last.get(name) === mine) this.#last.delete(name);
    }
  }
}
