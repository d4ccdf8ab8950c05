/**
 * Label smoothing (Szegedy et al., "Rethinking the Inception Architecture", arXiv:1512.00567, section 7): the one-hot target
 * y of C classes becomes (1 - s) y + s / C. It has no effect on tasks that predict values.
 */
import { z } from "zod";
import { rateField } from "./fields.ts";
import type { Config, Regulariser } from "../entry.ts";

const schema = z.strictObject({
  strength: rateField("s: the share of a target that is spread evenly over all classes."),
});

type LabelSmoothingConfig = Config & z.infer<typeof schema>;

export const labelSmoothing: Regulariser<LabelSmoothingConfig> = {
  kind: "label-smoothing",
  summary: "class targets are mixed with the uniform distribution",
  schema,
  strength: (config) => config.strength,
  targets: (tf, oneHot, strength, classes) => tf.add(tf.mul(oneHot, tf.sub(1, strength)), tf.div(strength, classes)),
};
