/**
 * A causal decoder with pre-normalised residual blocks (Radford et al. 2019, "Language Models are Unsupervised Multitask
 * Learners", section 2.3): h = E[token] + P[position]; depth times h += attention(LN(h)), h += gelu(LN(h) W_1) W_2; then
 * f = s LN(h) U. Linear maps have no biases; E and U are not tied.
 *
 * It predicts at each position where the task asks for that, else at the last one. Embeddings start with standard deviation
 * 0.02, matrices with 1 / sqrt(fan in), those that write to the residual stream divided by sqrt(2 depth) as in GPT-2.
 */
import { z } from "zod";
import { activate, activationFlops, activationSchema } from "./activation.ts";
import { attend, attentionFlops } from "./attention.ts";
import { product, weightParameter } from "./dense.ts";
import { embed } from "./embedding.ts";
import { depthField, initScaleField, outputScaleField, scaleOutput, widthField } from "./fields.ts";
import { LAYER_NORM_FLOPS, layerNorm, layerNormParameters } from "./layer-norm.ts";
import { outputWidth } from "../entry.ts";
import type { Architecture, Config, ForwardContext, Parameter, Task, Tensor, Tensor3D, Tf } from "../entry.ts";
import type { Rank } from "@tensorflow/tfjs-core";

const EMBEDDING_STD = 0.02;

const schema = z.strictObject({
  depth: depthField("Blocks of attention and MLP.", 1).default(2),
  width: widthField("Width of the residual stream; a multiple of heads.").default(64),
  heads: z.int().min(1).max(64).default(4).describe("Attention heads."),
  mlpRatio: z.int().min(1).max(16).default(4).describe("Hidden units of each MLP, as a multiple of width."),
  activation: activationSchema.default("gelu"),
  initScale: initScaleField,
  outputScale: outputScaleField,
});

type TransformerConfig = Config & z.infer<typeof schema>;

interface Tokens {
  readonly context: number;
  readonly vocabulary: number;
}

function tokensOf(task: Task): Tokens {
  if (task.input.kind !== "tokens") throw new Error("a transformer reads tokens");
  return task.input;
}

function predictedPositions(task: Task): number {
  return task.output.kind === "classes" ? task.output.positions : 1;
}

function unsupported(config: TransformerConfig, task: Task): string | undefined {
  if (task.input.kind !== "tokens") return `transformer reads tokens, and this data's inputs are ${task.input.kind}`;
  if (config.width % config.heads !== 0) {
    return `the width of a transformer (${config.width}) must be a multiple of its heads (${config.heads})`;
  }
  const positions = predictedPositions(task);
  if (positions === 1 || positions === task.input.context) return undefined;
  return `transformer predicts at the last position or at all ${task.input.context}, not at ${positions}`;
}

/** Parameters of one block, in the order that `block` reads them. */
function blockParameters(config: TransformerConfig, layer: number): readonly Parameter[] {
  const { width, initScale } = config;
  const inner = width * config.mlpRatio;
  const toResidual = initScale / Math.sqrt(2 * config.depth);
  return [
    ...layerNormParameters(`block${layer}AttentionNorm`, width),
    weightParameter(`block${layer}QueryKeyValue`, width, 3 * width, initScale),
    weightParameter(`block${layer}AttentionOut`, width, width, toResidual),
    ...layerNormParameters(`block${layer}MlpNorm`, width),
    weightParameter(`block${layer}MlpIn`, width, inner, initScale),
    weightParameter(`block${layer}MlpOut`, inner, width, toResidual),
  ];
}

const BLOCK_PARAMETERS = 8;

function parameters(config: TransformerConfig, task: Task): readonly Parameter[] {
  const { context, vocabulary } = tokensOf(task);
  const initial = { kind: "normal", std: config.initScale * EMBEDDING_STD } as const;
  return [
    { name: "tokenEmbedding", shape: [vocabulary, config.width], initial },
    { name: "positionEmbedding", shape: [context, config.width], initial },
    ...Array.from({ length: config.depth }, (_, layer) => blockParameters(config, layer + 1)).flat(),
    ...layerNormParameters("finalNorm", config.width),
    weightParameter("unembedding", config.width, outputWidth(task.output), config.initScale),
  ];
}

/** The embedding is counted as the product with a one-hot code that it is computed by where there is no kernel for it. */
function forwardFlops(config: TransformerConfig, task: Task): number {
  const { context, vocabulary } = tokensOf(task);
  const { depth, width, heads, mlpRatio } = config;
  const inner = width * mlpRatio;
  const predicted = predictedPositions(task);
  const mix = attentionFlops({ context, heads, width }) + width * LAYER_NORM_FLOPS;
  const mlp = 4 * width * inner + inner * activationFlops(config.activation);
  const rest = 2 * width * width + mlp + width * (LAYER_NORM_FLOPS + 2);
  const embedding = 2 * vocabulary * width + width;
  const head = width * LAYER_NORM_FLOPS + 2 * width * outputWidth(task.output);
  const blocks = depth * context * mix + ((depth - 1) * context + predicted) * rest;
  return context * embedding + blocks + predicted * head;
}

/**
 * One block, at all positions or at the last alone, which then are all that goes on: what it mixes is of all.
 *
 * Dropout acts on the embeddings' sum and on the output of each sub-layer (Vaswani et al., section 5.4).
 */
function block(
  forward: ForwardContext,
  config: TransformerConfig,
  context: number,
  weights: readonly Tensor[],
  h: Tensor3D,
  positions: "all" | "last",
): Tensor3D {
  const { tf } = forward;
  const [normGain, normBias, qkv, attentionOut, mlpGain, mlpBias, mlpIn, mlpOut] = weights as readonly [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const shape = { context, heads: config.heads, width: config.width };
  const kept = (x: Tensor3D): Tensor3D => (positions === "all" ? x : lastPositions(tf, x, context));
  const mixed = kept(attend(tf, layerNorm(tf, h, normGain, normBias), qkv, shape));
  const middle: Tensor3D = tf.add(kept(h), forward.hidden(product(tf, mixed, attentionOut)));
  const z = product(tf, layerNorm(tf, middle, mlpGain, mlpBias), mlpIn);
  const inner = activate(tf, config.activation, z);
  return tf.add(middle, forward.hidden(product(tf, inner, mlpOut)));
}

/** [K, B T, D] to [K, B, D]. */
function lastPositions(tf: Tf, h: Tensor3D, context: number): Tensor3D {
  const [members, positions, width] = h.shape;
  const rows = positions / context;
  const byRow = tf.reshape<Rank.R4>(h, [members, rows, context, width]);
  return tf.reshape(tf.slice4d(byRow, [0, 0, context - 1, 0], [members, rows, 1, width]), [members, rows, width]);
}

export const transformer: Architecture<TransformerConfig> = {
  kind: "transformer",
  summary: "causal transformer: a decoder of attention and MLP blocks that predicts the next token",
  schema,
  unsupported,
  preparedSize: (_config, task) => tokensOf(task).context,
  parameters,
  forwardFlops,
  forward(context, config, task, weights, input) {
    const { tf } = context;
    const tokens = tokensOf(task);
    let h = context.hidden(embed(tf, input, weights[0]!, weights[1]!));
    for (let layer = 0; layer < config.depth; layer += 1) {
      const first = 2 + layer * BLOCK_PARAMETERS;
      const own = weights.slice(first, first + BLOCK_PARAMETERS);
      const isCut = layer === config.depth - 1 && predictedPositions(task) === 1;
      h = block(context, config, tokens.context, own, h, isCut ? "last" : "all");
    }
    const [gain, bias, unembedding] = weights.slice(-3) as [Tensor, Tensor, Tensor];
    return scaleOutput(tf, product(tf, layerNorm(tf, h, gain, bias), unembedding), config.outputScale);
  },
};
