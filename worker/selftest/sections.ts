/** Every section, in the order of the table. */
import { badRunSection } from "./bad-runs.ts";
import { crossingSection } from "./crossings.ts";
import { deepLinearSection } from "./deep-linear.ts";
import { ensembleSection } from "./ensembles.ts";
import { networkSection, rescalingSection } from "./networks.ts";
import { reducedRankSection } from "./reduced-rank.ts";
import { regularSection } from "./regular.ts";
import type { Section } from "./section.ts";
import { sgldSection } from "./sgld-formula.ts";

export const SECTIONS: readonly Section[] = [
  regularSection,
  crossingSection,
  reducedRankSection,
  deepLinearSection,
  networkSection,
  sgldSection,
  rescalingSection,
  badRunSection,
  ensembleSection,
];
