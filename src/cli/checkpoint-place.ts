/** What --checkpoints names: a folder, or a place in a store that a URL names. */
import type { Io } from "./io.ts";
import { pathIn } from "./token.ts";

/** An absolute path, or the URL as it is. */
export const checkpointPlace = (place: string, { cwd }: Pick<Io, "cwd">): string =>
  /^[a-z][a-z0-9+.-]*:\/\//i.test(place) ? place : pathIn(cwd, place);
