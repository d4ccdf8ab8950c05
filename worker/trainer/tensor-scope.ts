/**
 * Gives back the memory of work that failed in the middle: whatever it had made and would have disposed later, wherever it
 * stopped. Without that a failed allocation keeps its memory, and no smaller program fits either.
 *
 * TensorFlow.js's own scopes do most of it. What they leave are tensors that were kept: a gradient keeps every activation until
 * it has used it, and forgets those that it has not when it fails.
 */
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";

/** What TensorFlow.js's engine has and its type does not say. */
interface ScopedEngine {
  readonly state: {
    /** The tensors that the innermost scope will dispose. */
    readonly activeScope: { track: readonly Tensor[] } | undefined;
  };
  keep: (tensor: Tensor) => Tensor;
  startScope(name: string): void;
  endScope(): void;
}

const engineOf = (tf: Tf): ScopedEngine => tf.engine();

/**
 * Tensors that `work` has made are disposed when it ends, however it does, but for those it keeps; when it throws, those, too.
 * May be nested, not overlap.
 */
export async function inTensorScope(tf: Tf, work: () => Promise<void>): Promise<void> {
  const engine = engineOf(tf);
  const kept = new KeptTensors(engine);
  engine.startScope("program");
  try {
    await work();
  } catch (error) {
    kept.dispose();
    throw error;
  } finally {
    kept.close();
    engine.endScope();
  }
}

/** What `work` kept is disposed when it throws: a gradient that fails forgets what it kept for itself. */
export function disposingKept<T>(tf: Tf, work: () => T): T {
  const kept = new KeptTensors(engineOf(tf));
  try {
    return work();
  } catch (error) {
    kept.dispose();
    throw error;
  } finally {
    kept.close();
  }
}

/** To be called now and then, between two operations: a scope would remember the tensors of every step to its end. */
export function forgetDisposed(tf: Tf): void {
  const scope = engineOf(tf).state.activeScope;
  if (scope !== undefined) scope.track = scope.track.filter(isAlive);
}

const isAlive = ({ isDisposed }: Tensor): boolean => !isDisposed;

/** A few times what one step keeps. */
const FORGET_AT = 4_096;

/** Notes what is kept from now on until it is closed. */
class KeptTensors {
  readonly #engine: ScopedEngine;
  readonly #keep: ScopedEngine["keep"];
  #tensors: Tensor[] = [];
  #forgetAt = FORGET_AT;

  constructor(engine: ScopedEngine) {
    this.#engine = engine;
    this.#keep = engine.keep;
    const keep = this.#keep.bind(engine);
    engine.keep = (tensor) => {
      this.#note(tensor);
      return keep(tensor);
    };
  }

  dispose(): void {
    for (const tensor of this.#tensors) tensor.dispose();
  }

  close(): void {
    this.#engine.keep = this.#keep;
  }

  #note(tensor: Tensor): void {
    this.#tensors.push(tensor);
    if (this.#tensors.length < this.#forgetAt) return;
    this.#tensors = this.#tensors.filter(isAlive);
    this.#forgetAt = Math.max(FORGET_AT, 2 * this.#tensors.length);
  }
}
