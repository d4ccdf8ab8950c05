/** Where a batch of a stream belongs. Pure. */

export type Placement =
  /** Append all but the first `skip` records. */
  | { readonly kind: "append"; readonly skip: number }
  /** All of it is there. */
  | { readonly kind: "known" }
  /** Records before it are missing: the sender goes back. */
  | { readonly kind: "gap" };

/** @param nextOffset records that the stream has */
export function placeBatch(nextOffset: number, firstOffset: number, count: number): Placement {
  if (firstOffset > nextOffset) return { kind: "gap" };
  const skip = nextOffset - firstOffset;
  return skip >= count ? { kind: "known" } : { kind: "append", skip };
}
