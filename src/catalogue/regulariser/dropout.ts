/**
 * Dropout (Srivastava et al., JMLR 15, 2014), inverted: in training each hidden activation is 0 with probability p and is
 * divided by 1 - p otherwise, so that its mean is kept and evaluation needs no change.
 */
import { z } from "zod";
import { rateField } from "./fields.ts";
import type { Config, Regulariser } from "../entry.ts";

const schema = z.strictObject({ strength: rateField("p: the probability that a hidden activation is dropped.") });

type DropoutConfig = Config & z.infer<typeof schema>;

export const dropout: Regulariser<DropoutConfig> = {
  kind: "dropout",
  summary: "hidden activations are dropped at random (inverted dropout)",
  schema,
  strength: (config) => config.strength,
  hidden(tf, activation, strength, uniform) {
    const kept = tf.cast(tf.greaterEqual(uniform, strength), "float32");
    return tf.mul(activation, tf.div(kept, tf.sub(1, strength)));
  },
};
