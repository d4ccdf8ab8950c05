/** A thousand runs by chance, those of odd seeds. */
import { keepsEveryInvariant } from "./seed-range.ts";

keepsEveryInvariant(1);
