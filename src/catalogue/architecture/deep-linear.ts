/**
 * The deep linear network: f(x) = s x W_1 W_2 ... W_{depth+1}, without biases or nonlinearities. As a function it is a
 * linear map of rank at most `width`; its learning coefficient is known in closed form for every depth (Aoyagi and Watanabe,
 * "Stochastic complexities of reduced rank regression in Bayesian estimation", Neural Networks 18, 2005, for depth 1;
 * Aoyagi, "Consideration on the learning efficiency of multiple-layered neural networks with linear units", 2024).
 */
import { z } from "zod";
import { product, weightParameter } from "./dense.ts";
import { depthField, initScaleField, outputScaleField, scaleOutput, widthField } from "./fields.ts";
import { flatRows, flatSize, unsupportedPositions } from "./flat-input.ts";
import { inputSize, outputWidth, type Architecture, type Config, type Task } from "../entry.ts";

const schema = z.strictObject({
  depth: depthField("Hidden layers: the map is a product of depth + 1 matrices.", 0).default(2),
  width: widthField("Units of each hidden layer: the largest rank of the map.").default(64),
  initScale: initScaleField,
  outputScale: outputScaleField,
});

type DeepLinearConfig = Config & z.infer<typeof schema>;

/** [fan in, fan out] of each matrix. */
function shapes(config: DeepLinearConfig, task: Task): readonly (readonly [number, number])[] {
  const hidden = Array.from({ length: config.depth }, () => config.width);
  const units = [flatSize(task.input), ...hidden, outputWidth(task.output)];
  return units.slice(1).map((fanOut, layer) => [units[layer]!, fanOut]);
}

export const deepLinear: Architecture<DeepLinearConfig> = {
  kind: "deep-linear",
  summary: "deep linear network: a product of weight matrices, no biases, no nonlinearity",
  schema,
  unsupported: (_config, task) => unsupportedPositions("deep-linear", task),
  preparedSize: (_config, task) => inputSize(task.input),
  parameters: (config, task) =>
    shapes(config, task).map(([fanIn, fanOut], layer) =>
      weightParameter(`weight${layer + 1}`, fanIn, fanOut, config.initScale),
    ),
  forwardFlops: (config, task) => shapes(config, task).reduce((sum, [fanIn, fanOut]) => sum + 2 * fanIn * fanOut, 0),
  forward(context, config, task, weights, input) {
    const { tf } = context;
    let a = flatRows(tf, task.input, input);
    for (let layer = 0; layer < config.depth; layer += 1) a = context.hidden(product(tf, a, weights[layer]!));
    return scaleOutput(tf, product(tf, a, weights[config.depth]!), config.outputScale);
  },
};
