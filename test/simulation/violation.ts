/** A broken invariant. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** @param what is not called when all is well */
export function must(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Violation(what());
}
