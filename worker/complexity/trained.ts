/** A cell whose training has not diverged. */
import type { Trained } from "../train/train.ts";

export type TrainedWell = Trained & { readonly outcome: "ok" };
