/**
 * A convolutional network: depth times (convolution with zero padding, nonlinearity, mean pooling), then one dense layer on
 * all that is left, f(x) = s (a W + b). Mean and not maximum pooling: it is linear, so the network is smooth where its
 * nonlinearity is. Hidden activations are shown as [K, channels, B H W].
 */
import { z } from "zod";
import { activationFlops, activationSchema, gainOf } from "./activation.ts";
import { channelsFirst, convolve, flatPlanes, meanPool, patchSize, type Planes } from "./convolution.ts";
import { biasParameter, dense, denseFlops, weightParameter } from "./dense.ts";
import { depthField, initScaleField, outputScaleField, scaleOutput, widthField } from "./fields.ts";
import { unsupportedPositions } from "./flat-input.ts";
import { inputSize, outputWidth } from "../entry.ts";
import type { Architecture, Config, Parameter, Task } from "../entry.ts";

const schema = z.strictObject({
  activation: activationSchema.default("relu"),
  depth: depthField("Convolutional layers.", 1).default(2),
  width: widthField("Channels of each convolutional layer.").default(16),
  kernel: z
    .int()
    .min(1)
    .max(15)
    .refine((size) => size % 2 === 1, "must be odd")
    .default(3)
    .describe("Height and width of each kernel; odd."),
  pool: z.int().min(1).max(8).default(2).describe("Height and width of the windows of mean pooling; 1 is none."),
  initScale: initScaleField,
  outputScale: outputScaleField,
});

type CnnConfig = Config & z.infer<typeof schema>;

/** What one convolutional layer reads. */
interface Stage {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/** What each layer reads, and last what the dense layer reads. Sizes fall to 0 where an image is too small. */
function stages(config: CnnConfig, task: Task): readonly Stage[] {
  if (task.input.kind !== "image") throw new Error("a cnn reads images");
  const { height, width, channels } = task.input;
  const all: Stage[] = [{ height, width, channels }];
  for (let layer = 1; layer <= config.depth; layer += 1) {
    const shrink = config.pool ** layer;
    all.push({ height: Math.floor(height / shrink), width: Math.floor(width / shrink), channels: config.width });
  }
  return all;
}

const sizeOf = (stage: Stage): number => stage.height * stage.width * stage.channels;

function unsupported(config: CnnConfig, task: Task): string | undefined {
  if (task.input.kind !== "image") return `cnn reads images, and this data's inputs are ${task.input.kind}`;
  if (sizeOf(stages(config, task).at(-1)!) === 0) {
    const { height, width } = task.input;
    return (
      `pooling by ${config.pool} after each of ${config.depth} layers leaves nothing of images of ${height} x ${width}; ` +
      "lower depth or pool"
    );
  }
  return unsupportedPositions("cnn", task);
}

function parameters(config: CnnConfig, task: Task): readonly Parameter[] {
  const all = stages(config, task);
  const gain = config.initScale * gainOf(config.activation);
  const convolutions = all
    .slice(0, -1)
    .flatMap((stage, layer) => [
      weightParameter(`kernel${layer + 1}`, patchSize(config.kernel, stage.channels), config.width, gain),
      { ...biasParameter(`bias${layer + 1}`, config.width), shape: [config.width, 1] },
    ]);
  const out = outputWidth(task.output);
  const last = weightParameter("weight", sizeOf(all.at(-1)!), out, config.initScale);
  return [...convolutions, last, biasParameter("bias", out)];
}

function forwardFlops(config: CnnConfig, task: Task): number {
  const all = stages(config, task);
  const convolutions = all.slice(0, -1).map((stage) => {
    const pixels = stage.height * stage.width;
    const perPixel = denseFlops(patchSize(config.kernel, stage.channels), config.width);
    // The last term is pooling: one addition for each pixel of each channel.
    return pixels * (perPixel + config.width * (activationFlops(config.activation) + 1));
  });
  return convolutions.reduce((sum, flops) => sum + flops, denseFlops(sizeOf(all.at(-1)!), outputWidth(task.output)));
}

export const cnn: Architecture<CnnConfig> = {
  kind: "cnn",
  summary: "convolutional network: convolution, nonlinearity and mean pooling, then a dense layer",
  schema,
  unsupported,
  preparedSize: (_config, task) => inputSize(task.input),
  parameters,
  forwardFlops,
  forward(context, config, task, weights, input) {
    const { tf } = context;
    const [members, rows] = input.shape;
    const all = stages(config, task).map((stage): Planes => ({ ...stage, members, rows }));
    let image = channelsFirst(tf, input, all[0]!);
    for (let layer = 0; layer < config.depth; layer += 1) {
      const planes = all[layer]!;
      const options = { activation: config.activation, readsData: layer === 0 };
      const [weight, bias] = [weights[2 * layer]!, weights[2 * layer + 1]!];
      const a = context.hidden(convolve(tf, image, planes, config.kernel, weight, bias, options));
      image = meanPool(tf, a, { ...planes, channels: config.width }, config.pool);
    }
    const flat = flatPlanes(tf, image, all[config.depth]!);
    const output = dense(tf, flat, weights[2 * config.depth]!, weights[2 * config.depth + 1]!);
    return scaleOutput(tf, output, config.outputScale);
  },
};
