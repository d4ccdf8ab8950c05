/**
 * Reduced-rank regression: f(x) = x A B, A [inputs, width], B [width, outputs], the smallest singular network and the first
 * whose learning coefficient was known (Aoyagi and Watanabe, "Stochastic complexities of reduced rank regression in Bayesian
 * estimation", Neural Networks 18, 2005).
 */
import { z } from "zod";
import { initScaleField, widthField } from "./fields.ts";
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

const schema = z.strictObject({
  width: widthField("Units of the hidden layer: the largest rank of the map.").default(4),
  rank: rankField,
  initScale: initScaleField,
});

type ReducedRankConfig = Config & z.infer<typeof schema>;

/** Inputs, hidden units, outputs. */
function reducedRankWidths(config: ReducedRankConfig, task: Task): Widths {
  return [flatSize(task.input), config.width, outputWidth(task.output)];
}

export const reducedRank: Architecture<ReducedRankConfig> = {
  kind: "reduced-rank",
  summary: "reduced-rank regression: a linear map as a product of two matrices",
  schema,
  unsupported: (config, task) =>
    unsupportedPositions("reduced-rank", task) ?? unsupportedRank(reducedRankWidths(config, task), config.rank),
  preparedSize: (_config, task) => inputSize(task.input),
  parameters: (config, task) => layerParameters(reducedRankWidths(config, task), ["a", "b"], config.initScale),
  forwardFlops: (config, task) => layerFlops(reducedRankWidths(config, task)),
  forward: (context, _config, task, weights, input) =>
    throughLayers(context, flatRows(context.tf, task.input, input), weights),
  starts: {
    canonical(config, task) {
      const widths = reducedRankWidths(config, task);
      return canonicalLayers(widths, rankOf(widths, config.rank));
    },
    generic(config, task, key) {
      const widths = reducedRankWidths(config, task);
      return genericLayers(widths, rankOf(widths, config.rank), config.initScale, key);
    },
  },
};
