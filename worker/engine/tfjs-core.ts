/** TensorFlow.js's core with its gradients, for the backends that come as packages beside it. One a process. */
import { createRequire } from "node:module";
import { invariant } from "../../src/core/errors.ts";
import type { Tensor, Tf } from "../../src/catalogue/entry.ts";

const require = createRequire(import.meta.url);

export function loadTfjsCore(): Tf {
  const tf = require("@tensorflow/tfjs-core") as Tf;
  // No warnings of a kernel that is registered twice, and none of the slower checks that are meant for development.
  tf.enableProdMode();
  // The core bundle has no gradients of its own; tfjs-layers registers them.
  const layers: unknown = require("@tensorflow/tfjs-layers");
  invariant(layers, "tfjs-layers loads");
  chainReshape(tf);
  return tf;
}

/** Two of those gradients, of `prod` and of `gather` with batch axes, call `tensor.reshape`, which the core bundle does not have. */
function chainReshape(tf: Tf): void {
  const prototype = tf.Tensor.prototype as { reshape?: (this: Tensor, shape: number[]) => Tensor };
  prototype.reshape ??= function reshape(this: Tensor, shape: number[]): Tensor {
    return tf.reshape(this, shape);
  };
}
