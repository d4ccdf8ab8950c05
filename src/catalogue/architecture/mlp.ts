/**
 * The multilayer perceptron: a_0 = x, a_l = phi(a_{l-1} W_l + b_l) for l = 1 .. depth, f(x) = s (a_depth W + b).
 *
 * s is `outputScale`: large s is the lazy regime, in which the weights hardly move (Chizat, Oyallon and Bach,
 * arXiv:1812.07956). depth 0 is the model linear in its inputs.
 */
import { z } from "zod";
import { activationFlops, activationSchema, gainOf } from "./activation.ts";
import { biasParameter, dense, denseFlops, weightParameter } from "./dense.ts";
import { flatRows, flatSize, unsupportedPositions } from "./flat-input.ts";
import { depthField, initScaleField, outputScaleField, scaleOutput, widthField } from "./fields.ts";
import { inputSize, outputWidth, type Architecture, type Config, type Parameter, type Task } from "../entry.ts";

const schema = z.strictObject({
  activation: activationSchema.default("relu"),
  depth: depthField("Hidden layers; 0 is a linear model.", 0).default(2),
  width: widthField("Units of each hidden layer.").default(64),
  initScale: initScaleField,
  outputScale: outputScaleField,
});

type MlpConfig = Config & z.infer<typeof schema>;

/** Units of each layer, from the input to the output. */
function sizes(config: MlpConfig, task: Task): readonly number[] {
  const hidden = Array.from({ length: config.depth }, () => config.width);
  return [flatSize(task.input), ...hidden, outputWidth(task.output)];
}

function parameters(config: MlpConfig, task: Task): readonly Parameter[] {
  const units = sizes(config, task);
  return units.slice(1).flatMap((fanOut, layer) => {
    const isOutput = layer === config.depth;
    const gain = config.initScale * (isOutput ? 1 : gainOf(config.activation));
    return [
      weightParameter(`weight${layer + 1}`, units[layer]!, fanOut, gain),
      biasParameter(`bias${layer + 1}`, fanOut),
    ];
  });
}

function forwardFlops(config: MlpConfig, task: Task): number {
  const units = sizes(config, task);
  const products = units.slice(1).reduce((sum, fanOut, layer) => sum + denseFlops(units[layer]!, fanOut), 0);
  return products + config.depth * config.width * activationFlops(config.activation);
}

export const mlp: Architecture<MlpConfig> = {
  kind: "mlp",
  summary: "multilayer perceptron: dense layers with tanh, relu or gelu between them",
  schema,
  unsupported: (_config, task) => unsupportedPositions("mlp", task),
  preparedSize: (_config, task) => inputSize(task.input),
  parameters,
  forwardFlops,
  forward(context, config, task, weights, input) {
    const { tf } = context;
    let a = flatRows(tf, task.input, input);
    for (let layer = 0; layer < config.depth; layer += 1) {
      const options = { activation: config.activation, readsData: layer === 0 };
      a = context.hidden(dense(tf, a, weights[2 * layer]!, weights[2 * layer + 1]!, options));
    }
    const [weight, bias] = [weights[2 * config.depth]!, weights[2 * config.depth + 1]!];
    const output = dense(tf, a, weight, bias, { readsData: config.depth === 0 });
    return scaleOutput(tf, output, config.outputScale);
  },
};
