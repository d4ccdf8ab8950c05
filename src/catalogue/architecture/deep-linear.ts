/**
 * The deep linear network: f(x) = s x W_1 W_2 ... W_{depth+1}, without biases or nonlinearities. As a function it is a
 * linear map of rank at most its smallest width; its learning coefficient is known in closed form for every depth (Aoyagi and
 * Watanabe, "Stochastic complexities of reduced rank regression in Bayesian estimation", Neural Networks 18, 2005, for depth 1;
 * Aoyagi, "Consideration on the learning efficiency of multiple-layered neural networks with linear units", 2024).
 */
import { z } from "zod";
import { depthField, initScaleField, MAX_WIDTH, outputScaleField, scaleOutput, widthField } from "./fields.ts";
import { flatRows, flatSize, unsupportedPositions } from "./flat-input.ts";
import {
  canonicalLayers,
  genericLayers,
  layerFlops,
  layerParameters,
  rankField,
  rankOf,
  throughLayers,
  unsupportedRank,
  type Widths,
} from "./linear-layers.ts";
import { inputSize, outputWidth, type Architecture, type Config, type Task } from "../entry.ts";
import { numberList, numbersOf } from "../number-list.ts";

const schema = z.strictObject({
  depth: depthField("Hidden layers: the map is a product of depth + 1 matrices.", 0).default(2),
  width: widthField("Units of each hidden layer: the largest rank of the map.").default(64),
  widths: z
    .union([numberList(z.int().min(1).max(MAX_WIDTH), { least: 2, most: 66 }), z.literal("auto")])
    .default("auto")
    .describe("Units of each layer, from the inputs to the outputs, in place of depth and width; auto: as those say."),
  rank: rankField,
  initScale: initScaleField,
  outputScale: outputScaleField,
});

type DeepLinearConfig = Config & z.infer<typeof schema>;

/** d_0 .. d_L */
function deepLinearWidths(config: DeepLinearConfig, task: Task): Widths {
  if (config.widths !== "auto") return numbersOf(config.widths);
  const hidden = Array.from({ length: config.depth }, () => config.width);
  return [flatSize(task.input), ...hidden, outputWidth(task.output)];
}

function unsupported(config: DeepLinearConfig, task: Task): string | undefined {
  const widths = deepLinearWidths(config, task);
  const [inputs, outputs] = [flatSize(task.input), outputWidth(task.output)];
  if (widths[0] !== inputs || widths.at(-1) !== outputs) {
    return `its widths ${widths.join("-")} go from ${widths[0]} to ${widths.at(-1)}, and the data from ${inputs} inputs to ${outputs} outputs`;
  }
  return unsupportedPositions("deep-linear", task) ?? unsupportedRank(widths, config.rank);
}

export const deepLinear: Architecture<DeepLinearConfig> = {
  kind: "deep-linear",
  summary: "deep linear network: a product of weight matrices, no biases, no nonlinearity",
  schema,
  unsupported,
  preparedSize: (_config, task) => inputSize(task.input),
  parameters(config, task) {
    const widths = deepLinearWidths(config, task);
    const names = widths.slice(1).map((_, layer) => `weight${layer + 1}`);
    return layerParameters(widths, names, config.initScale);
  },
  forwardFlops: (config, task) => layerFlops(deepLinearWidths(config, task)),
  forward(context, config, task, weights, input) {
    const { tf } = context;
    return scaleOutput(tf, throughLayers(context, flatRows(tf, task.input, input), weights), config.outputScale);
  },
  starts: {
    canonical(config, task) {
      const widths = deepLinearWidths(config, task);
      return canonicalLayers(widths, rankOf(widths, config.rank));
    },
    generic(config, task, key) {
      const widths = deepLinearWidths(config, task);
      return genericLayers(widths, rankOf(widths, config.rank), config.initScale, key);
    },
  },
};
